#!/usr/bin/env python3
"""Breaks the rules of the core on purpose, one after the other, and sees that the simulated worlds notice.

usage: scripts/mutations.py [NUMBER ...]

Each mutation is made in a copy of the checkout (a git worktree, removed afterwards), and
`cargo test -p cutover-sim` must fail there. Takes about a minute for each; exit 1 if one survives.
"""
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEQUENCER = "crates/cutover-core/src/sequencer.rs"
PROGRESS = "crates/cutover-core/src/progress.rs"
APP = "crates/cutover-core/src/app.rs"
GOAL = "crates/cutover-core/src/goal.rs"

# What is broken, where, the text, and what takes its place.
MUTATIONS = [
    ("a leaver is stopped with requests inside", SEQUENCER,
     "instance.in_flight == 0\n", "true\n"),
    ("a leaver is stopped while a table on its way names it", SEQUENCER,
     "self.seen.routed(**id) || table.names(**id)", "table.names(**id)"),
    ("a share may exceed what is ready", SEQUENCER,
     "wanted.min(capacity(*release))", "wanted"),
    ("instances that stop take no room", SEQUENCER,
     "count(self.seen.instances.keys()));",
     "count(self.seen.instances.values().filter(|i| i.state != State::Stopping)));"),
    ("a release that is relieved may not serve", SEQUENCER,
     "(self.goal.gives_traffic(release) || relieved)",
     "(self.goal.gives_traffic(release) || (false && relieved))"),
    ("a flag is up while a release serves that does not know it", SEQUENCER,
     "oldest.is_none_or(|oldest| oldest >= raised.by)", "oldest.is_none_or(|_| raised.by.0 > 0)"),
    ("ready instances leave before broken ones", SEQUENCER,
     "(!runs, !routed, !ready, state == Some(State::Exited), exits, id.slot)",
     "(runs && ready, !routed, !ready, state == Some(State::Exited), exits, id.slot)"),
    ("leavers are not routed to fill a share", SEQUENCER,
     "let short = (least as usize).saturating_sub(picked.len());",
     "let short = (least as usize).saturating_sub(picked.len()).min(0);"),
    ("capacity may fall to one instance", SEQUENCER,
     "let basis = self.bounds.floor.min(self.total());", "let basis = 1.min(self.total());"),
    ("the last running servers are taken off", SEQUENCER,
     "view.desperate = view.total() == 0;", "view.desperate = false;"),
    ("one instance more than the ceiling", SEQUENCER,
     "self.bounds.ceiling.saturating_sub(", "(self.bounds.ceiling + 1).saturating_sub("),
    ("an abort waits until its stage is reached", PROGRESS,
     "if rollout.abort {", "if rollout.abort && forward.reached.is_some() {"),
    ("an exit while it settles does not count", PROGRESS,
     "settling && forward.reached.is_some_and(exited)", "settling && forward.reached.is_some_and(exited) && false"),
    ("a failed hook does not turn back", PROGRESS,
     "hook_failed.then_some(Why::Hook)", "(hook_failed && false).then_some(Why::Hook)"),
    ("a release that was turned back is live", APP,
     "if outcome != Outcome::Succeeded || !plan.promotes() {", "if !plan.promotes() {"),
    ("a standby is started", GOAL,
     "count: n, start: false", "count: n, start: true"),
]


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def why(output: str) -> str:
    """The first broken promise that the tests name."""
    found = re.search(r"one of them: (I\d+ .*)|(I\d+ [^\n]*)", output)
    if found:
        return (found[1] or found[2])[:90]
    found = re.search(r"panicked at [^\n]*\n([^\n]*)", output)
    return found[1][:90] if found else "no reason found"


def main() -> int:
    chosen = {int(number) for number in sys.argv[1:]} or set(range(1, len(MUTATIONS) + 1))
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="cutover-mutations-") as folder:
        copy = Path(folder) / "copy"
        made = run("git", "worktree", "add", "--detach", str(copy), "HEAD", cwd=ROOT)
        if made.returncode:
            print(made.stderr, file=sys.stderr)
            return 1
        try:
            for number, (what, file, old, new) in enumerate(MUTATIONS, 1):
                if number in chosen:
                    survivors += not caught(copy, number, what, file, old, new)
        finally:
            run("git", "worktree", "remove", "--force", str(copy), cwd=ROOT)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutations are caught")
    return 1 if survivors else 0


def caught(copy: Path, number: int, what: str, file: str, old: str, new: str) -> bool:
    begun, path = time.monotonic(), copy / file
    text = path.read_text()
    if text.count(old) != 1:
        print(f"{number:2} {what}: the text to break is not there once: mend this script")
        return False
    path.write_text(text.replace(old, new))
    built = run("cargo", "test", "--quiet", "-p", "cutover-sim", "--no-run", cwd=copy)
    tested = run("cargo", "test", "--quiet", "-p", "cutover-sim", cwd=copy) if not built.returncode else built
    path.write_text(text)
    seconds = time.monotonic() - begun
    if built.returncode:
        print(f"{number:2} {what}: does not build\n{built.stderr[-2000:]}")
        return False
    if tested.returncode == 0:
        print(f"{number:2} {what}: SURVIVES ({seconds:.0f} s)", flush=True)
        return False
    print(f"{number:2} {what}: caught by {why(tested.stdout + tested.stderr)} ({seconds:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
