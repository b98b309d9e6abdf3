// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/cpu_throttling.hpp"
#include "temp_dir.hpp"

using namespace ipcmark;

TEST_CASE("the quota is the least of the own control group and all above it") {
    TempDir folder;
    const std::string root = folder.path().string();
    CHECK_FALSE(cpu_quota(root));
    folder.write("proc/self/cgroup", "0::/a/b\n");
    folder.write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    CHECK_FALSE(cpu_quota(root));
    folder.write("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    CHECK(cpu_quota(root) == 1.5);
    folder.write("sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    CHECK(cpu_quota(root) == 1.5);
    folder.write("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    CHECK(cpu_quota(root) == 0.5);

    TempDir old_folder;
    const std::string old = old_folder.path().string();
    old_folder.write("proc/self/cgroup", "4:memory:/y\n2:cpu,cpuacct:/x\n0::/\n");
    old_folder.write("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n");
    old_folder.write("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
    CHECK_FALSE(cpu_quota(old));
    old_folder.write("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "25000\n");
    CHECK(cpu_quota(old) == 0.25);
}

TEST_CASE("throttling is that of the group that had most of it, since the watch began") {
    TempDir folder;
    const std::string root = folder.path().string();
    CHECK(ThrottlingWatch(root).look().throttled_periods == 0);
    folder.write("proc/self/cgroup", "0::/a/b\n");
    folder.write("sys/fs/cgroup/a/b/cpu.stat", "usage_usec 9\nnr_periods 10\nnr_throttled 5\nthrottled_usec 100\n");
    folder.write("sys/fs/cgroup/a/cpu.stat", "nr_periods 100\nnr_throttled 50\nthrottled_usec 1000\n");
    const ThrottlingWatch watch(root);
    CHECK(watch.look().throttled_periods == 0);
    folder.write("sys/fs/cgroup/a/b/cpu.stat", "usage_usec 9\nnr_periods 15\nnr_throttled 9\nthrottled_usec 350\n");
    folder.write("sys/fs/cgroup/a/cpu.stat", "nr_periods 105\nnr_throttled 51\nthrottled_usec 1001\n");
    const CpuThrottling found = watch.look();
    CHECK(found.periods == 5);
    CHECK(found.throttled_periods == 4);
    CHECK(found.throttled_ns == 250'000);

    TempDir old;
    old.write("proc/self/cgroup", "2:cpu:/x\n");
    const ThrottlingWatch old_watch(old.path().string());
    old.write("sys/fs/cgroup/cpu/x/cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 777\n");
    CHECK(old_watch.look().throttled_ns == 777);
}
