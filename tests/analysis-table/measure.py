"""Measures Stepwell beside bandit, ruff's S rules and a search for substrings, on the labelled snippets of
tests/fixtures/analysis. Run it with a Python environment that has bandit and ruff:

    cargo build && python tests/analysis-table/measure.py [target/debug/stepwell]

It prints the table of docs/analysis.md and the names of what Stepwell misses or flags without reason.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures/analysis"
# Findings that are only worth knowing: code with nothing else is neither dangerous nor harmless here.
CALM = {"control_read", "threads", "env_read", "fs_write"}
BINARY = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target/debug/stepwell")
# How the agent frameworks of accelerator facilities scan: words of the text, whatever they stand in.
WORDS = ["exec(", "eval(", "__import__", "os.system", "subprocess", "open("]
WRITES = re.compile(r"caput\s*\(|\.put\s*\(|\.set_value\s*\(|write_channel|write_attribute", re.IGNORECASE)


def snippets():
    for file in sorted(FIXTURES.glob("*.txt")):
        for part in file.read_text().split("\n--- ")[1:]:
            head, _, code = part.partition("\n")
            name, rules = head.split(": ")
            labels = set(rules.split(", ")) - {"none"}
            if "syntax" not in labels:
                yield f"{file.stem}.{name}", labels, code


def output(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def stepwell(files):
    found = set()
    for path in files:
        report = json.loads(output([BINARY, "analyze", str(path), "--json"]))
        if any(finding["rule"] not in CALM for finding in report["findings"]):
            found.add(path.stem)
    return found


def bandit(files):
    report = json.loads(output([sys.executable, "-m", "bandit", "-q", "-f", "json", *map(str, files)]))
    return {pathlib.Path(issue["filename"]).stem for issue in report["results"]}


def ruff(files):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "S", "--output-format", "json"]
    report = json.loads(output([*command, *map(str, files)]))
    return {pathlib.Path(issue["filename"]).stem for issue in report}


def substrings(files):
    def hit(text):
        return any(word in text for word in WORDS) or WRITES.search(text)

    return {path.stem for path in files if hit(path.read_text())}


def version(module):
    return output([sys.executable, "-m", module, "--version"]).split("\n")[0].split()[-1]


def main():
    corpus = {name: (labels, code) for name, labels, code in snippets()}
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, (_, code) in corpus.items():
            path = pathlib.Path(folder, f"{name}.py")
            path.write_text(code)
            files.append(path)
        tools = {
            "Stepwell": stepwell(files),
            f"bandit {version('bandit')}": bandit(files),
            f"ruff {version('ruff')}, `S`": ruff(files),
            "substrings": substrings(files),
        }
    groups = {
        "writes to control systems": lambda labels: any(label.startswith("control_") for label in labels - CALM),
        "other dangers": lambda labels: labels - CALM and not any(l.startswith("control_") for l in labels - CALM),
        "harmless": lambda labels: not labels,
    }
    members = {group: {n for n, (labels, _) in corpus.items() if test(labels)} for group, test in groups.items()}
    print("| | " + " | ".join(f"{group} ({len(names)})" for group, names in members.items()) + " |")
    print("|---|---|---|---|")
    for tool, found in tools.items():
        print(f"| {tool} | " + " | ".join(str(len(found & names)) for names in members.values()) + " |")
    dangers = members["writes to control systems"] | members["other dangers"]
    print("\nmissed by Stepwell:", ", ".join(sorted(dangers - tools["Stepwell"])))
    print("flagged without reason:", ", ".join(sorted(members["harmless"] & tools["Stepwell"])) or "none")


main()
