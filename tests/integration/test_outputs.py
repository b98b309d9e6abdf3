# SPDX-License-Identifier: Apache-2.0
"""Where results go when that is no file of their own: standard output, pipes, links, devices."""

import csv
import io
import json
import os
import threading

import pytest

QUICK = ["run", "-m", "uds", "-i", 40, "-w", 5]


def document(text):
    read = json.loads(text)
    assert [result["status"] for result in read["results"]] == ["Success"]
    return read


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_has_the_document_alone(ipcmark, name):
    (ipcmark.folder / "link").symlink_to("/dev/stdout")
    done = ipcmark(*QUICK, "-o", name)
    assert done.returncode == 0, done.stderr
    document(done.stdout)


def test_standard_output_has_the_samples_alone(ipcmark):
    done = ipcmark(*QUICK, "--streaming-output-csv", "/dev/stdout")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 80
    assert all(None not in row and None not in row.values() for row in rows)


def test_a_file_that_standard_output_leads_to_is_written_on(ipcmark):
    wrapper = ["sh", "-c", '(echo header; "$@"; echo footer) > out', "sh"]
    assert ipcmark(*QUICK, "-o", "/dev/stdout", wrapper=wrapper).stderr == ""
    text = (ipcmark.folder / "out").read_text()
    assert text.startswith("header\n{") and text.endswith("\nfooter\n")
    document(text.removeprefix("header\n").removesuffix("footer\n"))


def test_a_pipe_with_a_name(ipcmark):
    pipe = ipcmark.folder / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    done = ipcmark(*QUICK, "-q", "-o", pipe)
    assert done.returncode == 0, done.stderr
    reader.join()
    document(read[0])
    assert sorted(path.name for path in ipcmark.folder.iterdir()) == ["pipe"]


def test_a_pipe_of_the_shell(ipcmark):
    line = 'set -o pipefail; { "$@" --streaming-output-ndjson /dev/fd/3 --csv /dev/stdout 3>&1 >table; } | cat > rows'
    done = ipcmark(*QUICK, wrapper=["bash", "-c", line, "bash"])
    assert done.returncode == 0, done.stderr
    rows = [json.loads(row) for row in (ipcmark.folder / "rows").read_text().splitlines()]
    assert len(rows) == 80
    with open(ipcmark.folder / "table", encoding="utf-8") as table:
        assert len(list(csv.DictReader(table))) == 2


def test_a_reader_that_leaves(ipcmark):
    pipe = ipcmark.folder / "pipe"
    os.mkfifo(pipe)

    def read_a_little():
        with open(pipe, encoding="utf-8") as text:
            text.readline()

    reader = threading.Thread(target=read_a_little, daemon=True)
    reader.start()
    run = ["run", "-m", "uds", "--round-trip", "-i", 20000]
    done = ipcmark(*run, "-q", "-o", "r.json", "--streaming-output-csv", pipe)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "pipe: Broken pipe" in done.stderr
    document((ipcmark.folder / "r.json").read_text())


@pytest.mark.parametrize("second", ["r.json", "link", "folder-link/r.json", "hard"])
@pytest.mark.parametrize("there", [True, False])
def test_two_outputs_in_one_file_are_refused(ipcmark, witness, second, there):
    if second == "hard" and not there:
        pytest.skip("a file that is not there has one name")
    (ipcmark.folder / "link").symlink_to("r.json")
    (ipcmark.folder / "folder-link").symlink_to(".", target_is_directory=True)
    if there:
        (ipcmark.folder / "r.json").write_text("old")
        (ipcmark.folder / "hard").hardlink_to(ipcmark.folder / "r.json")
    done = ipcmark("run", *witness.arguments(), "-i", 10, "-o", "r.json", "--csv", second)
    assert done.returncode == 2
    assert done.stderr == f"ipcmark: --output-file and --csv both write '{second}'\n"
    assert witness.records() == []


def test_outputs_to_nowhere(ipcmark):
    done = ipcmark(*QUICK, "-q", "-o", "/dev/null", "--csv", "/dev/null", "--streaming-output-csv", "/dev/null")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_log_that_cannot_be_written_is_told_once_and_the_results_are_kept(ipcmark):
    done = ipcmark(*QUICK, "-q", "--log-file", "/dev/full", "-o", "r.json")
    assert done.returncode == 1
    assert done.stderr == "ipcmark: --log-file '/dev/full': No space left on device; the log ends here\n"
    document((ipcmark.folder / "r.json").read_text())
