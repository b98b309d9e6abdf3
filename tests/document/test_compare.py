# SPDX-License-Identifier: Apache-2.0
"""`ipcmark compare` from the command line: output, exit codes, bad input."""

import json

import pytest
from sample import document


def worse(value, factor=2):
    """The same document with every latency bucket and rate worse by a factor."""
    for result in value["results"]:
        for key in ("one_way_results", "round_trip_results"):
            measured = result[key]
            if measured is None:
                continue
            measured["throughput"]["messages_per_second"] /= factor
            latency = measured["latency"]
            latency["median_ns"] *= factor
            latency["histogram"] = [[low * factor, high * factor, count] for low, high, count in latency["histogram"]]
            for asked in latency["percentiles"]:
                asked["value_ns"] *= factor
    return value


def times(count, value):
    """The same document with each of its tests run so often."""
    value["results"] = [result for result in value["results"] for _ in range(count)]
    return json.dumps(value)


def write_files(folder, runs):
    (folder / "a.json").write_text(times(runs, document("json")))
    (folder / "b.json").write_text(times(runs, worse(document("json"))))
    return "a.json", "b.json"


@pytest.fixture
def files(tmp_path):
    return write_files(tmp_path, runs=4)


def test_a_table_of_ratios(ipcmark, files):
    done = ipcmark("compare", *files)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("UnixDomainSocket")]
    assert len(lines) == 2
    assert "2.00" in lines[0]
    assert "0.50" in lines[0]
    assert "worse: p50,p99,rate" in lines[0]
    assert "\033" not in done.stdout


def test_a_regression_fails_only_when_asked(ipcmark, files):
    assert ipcmark("compare", *files, "--fail-on-regression").returncode == 1
    assert ipcmark("compare", *reversed(files), "--fail-on-regression").returncode == 0
    assert ipcmark("compare", *files, "--fail-on-regression", "--threshold", "150%").returncode == 0


@pytest.mark.parametrize("runs", [1, 3])
def test_few_runs_fail_nothing(ipcmark, tmp_path, runs):
    done = ipcmark("compare", *write_files(tmp_path, runs), "--fail-on-regression")
    assert done.returncode == 0
    assert "unclear: p50,p99,rate" in done.stdout
    assert "fewer than four runs of a test cannot tell a change from the noise" in " ".join(done.stdout.split())


def test_a_failed_check_of_one_side_is_told(ipcmark, tmp_path, files):
    changed = json.loads((tmp_path / "b.json").read_text())
    for result in changed["results"][:1]:
        for key in ("one_way_results", "round_trip_results"):
            result[key]["audit"].append({"id": "cpu-share", "value": 0, "expectation": "1", "verdict": "suspicious"})
    (tmp_path / "b.json").write_text(json.dumps(changed))
    compared = json.loads(ipcmark("compare", *files, "--json").stdout)
    suspicious = [test["suspicious"] for test in compared["tests"]]
    assert suspicious == [["cpu-share: in 0 of 4 runs, 1 of 4"]] * 2 + [["littles-law: in 4 of 4 runs, 4 of 4"]]
    assert [test["p50_ns"]["change"] for test in compared["tests"]] == ["unclear", "unclear", "worse"]
    table = " ".join(ipcmark("compare", *files).stdout.split())
    assert "did not pass a check:" in table
    assert "one side did not pass a check that the other did" in table


def repeated(rates_and_medians):
    """uds round trips: each median a repetition of the test with that rate."""
    value = document("json")
    (result,) = [r for r in value["results"] if r["test_config"]["mechanism_id"] == "uds"]
    result["one_way_results"] = None
    result["round_trip_results"]["latency"]["histogram"] = []
    results = []
    for rate, medians in rates_and_medians.items():
        for median in medians:
            copy = json.loads(json.dumps(result))
            copy["test_config"]["rate_per_second"] = rate
            copy["round_trip_results"]["latency"]["percentiles"] = [{"percentile": 50.0, "value_ns": median}]
            results.append(copy)
    value["results"] = results
    return json.dumps(value)


def test_beyond_the_threshold_with_ranges_that_touch_is_unclear(ipcmark, tmp_path):
    (tmp_path / "a.json").write_text(repeated({None: [100, 110, 110, 300]}))
    (tmp_path / "b.json").write_text(repeated({None: [200, 250, 260, 260]}))
    done = ipcmark("compare", "a.json", "b.json", "--fail-on-regression")
    assert done.returncode == 0, "what is unclear is no regression"
    assert "unclear: p50" in done.stdout
    assert "compared: 1 test: 1 unclear\n" in done.stdout
    compared = json.loads(ipcmark("compare", "a.json", "b.json", "--json").stdout)
    assert (compared["regression"], compared["unclear"]) == (False, True)
    assert compared["tests"][0]["p50_ns"]["change"] == "unclear"
    assert compared["tests"][0]["messages_per_second"]["change"] == "same"


def test_tests_that_differ_in_a_rate_are_told_apart(ipcmark, tmp_path):
    (tmp_path / "a.json").write_text(repeated({1000.0: [100] * 4, 10000.0: [100] * 4, None: [100]}))
    (tmp_path / "b.json").write_text(repeated({1000.0: [100] * 4, 10000.0: [150] * 4}))
    lines = ipcmark("compare", "a.json", "b.json").stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith("UnixDomainSocket")]
    assert "rate" in lines[3]
    assert [("1000/s" in row, "10000/s" in row, "worse:" in row) for row in rows] == [
        (True, False, False),
        (False, True, True),
    ]
    compared = json.loads(ipcmark("compare", "a.json", "b.json", "--json").stdout)
    rates = [test["configuration"]["rate_per_second"] for test in compared["tests"]]
    assert [float(rate) for rate in rates] == [1000, 10000]
    assert {test["configuration"]["wait_policy"] for test in compared["tests"]} == {"block"}
    (only,) = compared["only_a"]
    assert "rate" not in only, "as fast as it goes"


def test_json_for_programs(ipcmark, files):
    done = ipcmark("compare", *files, "--json")
    compared = json.loads(done.stdout)
    assert compared["regression"] is True
    assert [test["p50_ns"]["change"] for test in compared["tests"]] == ["worse"] * 3
    assert compared["tests"][0]["messages_per_second"]["ratio"] == pytest.approx(0.5)


def test_documents_that_were_measured_in_turns_are_repetitions(ipcmark, tmp_path):
    a, b = write_files(tmp_path, runs=1)
    for name in ("a,2.json", "b2.json"):
        (tmp_path / name).write_text((tmp_path / f"{name[0]}.json").read_text())
    changed = json.loads((tmp_path / a).read_text())
    changed["metadata"]["system_info"]["kernel"] = "another"
    (tmp_path / "a3.json").write_text(json.dumps(changed))
    done = ipcmark("compare", f"{a},a3.json,{a},{a}", f"{b},b2.json,{b},b2.json", "--json")
    compared = json.loads(done.stdout)
    assert {(test["runs_a"], test["runs_b"], test["p50_ns"]["change"]) for test in compared["tests"]} == {
        (4, 4, "worse")
    }
    (difference,) = compared["machine_differences"]
    assert difference.startswith("kernel: ") and " or another, " in difference
    (one,) = {test["runs_a"] for test in json.loads(ipcmark("compare", "a,2.json", b, "--json").stdout)["tests"]}
    assert one == 1, "a comma in a file's name"
    missing = ipcmark("compare", f"{a},no.json", b)
    assert (missing.returncode, missing.stderr) == (2, "ipcmark: cannot read no.json: No such file or directory\n")


def test_strict_against_full(ipcmark, files, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(document("rusty-comms")))
    done = ipcmark("compare", "old.json", "a.json", "--json")
    assert done.returncode == 0, done.stderr
    assert {test["p50_ns"]["ratio"] for test in json.loads(done.stdout)["tests"]} == {1.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.json", "missing.json"], "missing.json: No such file or directory"),
        (["a.json", "."], "it is a folder"),
        (["a.json", "text"], "text is not JSON: syntax error at line 1, column "),
        (["a.json", "list.json"], "list.json is not a result document"),
        (["a.json", "b.json", "--threshold", "much"], '--threshold "much" is not a percentage'),
        (["a.json", "b.json", "--threshold", "-1%"], "percentage"),
        (["a.json"], "B"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(ipcmark, files, tmp_path, arguments, said):
    (tmp_path / "text").write_text("no JSON")
    (tmp_path / "list.json").write_text("[]")
    done = ipcmark("compare", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_repetitions_are_one_test_whatever_port_the_kernel_chose(ipcmark):
    for name in ("a.json", "b.json"):
        done = ipcmark("run", "-m", "tcp", "-s", 64, "-i", 300, "--round-trip", "--repeat", 3, "-q", "-o", name)
        assert done.returncode == 0, done.stderr
    compared = json.loads(ipcmark("compare", "a.json", "b.json", "--json").stdout)
    assert len(compared["tests"]) == 1
    table = ipcmark("compare", "a.json", "b.json").stdout
    assert "differ" not in table


def test_a_file_without_an_end_is_refused(ipcmark):
    done = ipcmark("compare", "/dev/zero", "/dev/zero")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "/dev/zero" in done.stderr and "1GiB" in done.stderr


def test_a_module_that_was_checked_is_another_test(ipcmark, tmp_path):
    value = document("json")
    (result,) = [r for r in value["results"] if r["test_config"]["mechanism_id"] == "uds"]
    for name, checks in (("a.json", (False, True)), ("b.json", (False,)), ("c.json", (True,))):
        results = [{**result, "module": {**result["module"], "checked": checked}} for checked in checks]
        (tmp_path / name).write_text(json.dumps({**value, "results": results}))
    tests = json.loads(ipcmark("compare", "a.json", "b.json", "--json").stdout)
    assert all("checked" not in test["configuration"] for test in tests["tests"])
    assert len(tests["only_a"]) == 2
    table = " ".join(ipcmark("compare", "b.json", "c.json").stdout.split())
    assert "checked: false, true" in table
