"""`trackway clean`, `pin`, `backup`, `restore`: what stays, and where else it lies."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from trackway.cli.arguments import command_of_run
from trackway.cli.completion import names_folder
from trackway.cli.recorded import find_recorded
from trackway.clock import SYSTEM_CLOCK
from trackway.errors import BackupError, RetentionError, RunError
from trackway.recorder.child import become_writer
from trackway.run import RunFolder, check_folder, list_runs
from trackway.storage.backup import Backup, restore
from trackway.storage.packs import KEPT, KINDS, pack, unpack
from trackway.storage.retention.cuts import is_written
from trackway.storage.retention.following import LOOK_S, follow_run
from trackway.storage.retention.local import LocalFile, to_free
from trackway.storage.retention.pins import pin_rows, pin_run
from trackway.storage.retention.policy import Policy, read_policy
from trackway.sync.freeing import free, holder
from trackway.sync.opening import open_store

if TYPE_CHECKING:
    from trackway.storage.retention.cuts import Cut


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its commands about keeping."""
    says = "let old steps go as retention.toml says, or these options; episodes and models stay"
    clean = commands.add_parser("clean", help=says, description=says)
    names_folder(
        clean.add_argument("models", nargs="?", type=Path, default=Path("models"), metavar="FOLDER")
    )
    clean.add_argument("--dry-run", action="store_true", help="say what would go, and why")
    clean.add_argument("--full_days", type=float, metavar="D", help="keep everything so long")
    clean.add_argument(
        "--sampled_days", type=float, metavar="D", help="then a sample; then only what is pinned"
    )
    clean.add_argument("--every", type=int, metavar="N", help="which rows make a sample (10)")
    clean.add_argument("--packed_days", type=float, metavar="D", help="pack JSON files after that")
    clean.add_argument("--budget_gb", type=float, metavar="GB", help="for all runs together")
    clean.add_argument("--backup", type=Path, metavar="FOLDER", help="only what is safe there goes")
    clean.add_argument("--store", metavar="STORE", help="only what this store has goes")
    clean.add_argument(
        "--local_days", type=float, metavar="D", help="how long what the store has stays here too"
    )
    clean.add_argument(
        "--local_gb", type=float, metavar="GB", help="how much of it, of all runs together"
    )
    clean.add_argument("--json", action="store_true", help="for programs")
    clean.set_defaults(act=_told_of_disks(clean_runs))

    pin = command_of_run(commands, "pin", "keep a run, or some rows of it, whatever a policy says")
    pin.add_argument("--attempt", help="of the rows")
    pin.add_argument("--rows", type=int, nargs=2, metavar=("FIRST", "LAST"), help="such as 500 999")
    pin.set_defaults(act=_pin)
    unpin = command_of_run(commands, "unpin", "let the policies decide about a run again")
    unpin.set_defaults(
        act=lambda args: pin_run(RunFolder(find_recorded(args.models, args.run)), pinned=False)
    )

    says = "copy a run's finished files, or those of all runs, to a second folder, and prove them"
    copy = commands.add_parser("backup", help=says, description=says)
    copy.add_argument("runs", type=Path, metavar="FOLDER", help="a run, or a folder of runs")
    copy.add_argument("backup", type=Path, metavar="BACKUP")
    copy.add_argument("--follow", action="store_true", help="go on as files are finished")
    copy.add_argument(
        "--prove", action="store_true", help="read every copy again; a damaged one is made anew"
    )
    # The training starts this command; it steps back and outlives Ctrl-C.
    copy.add_argument("--beside-training", action="store_true", help=argparse.SUPPRESS)
    copy.set_defaults(act=_told_of_disks(_backup))

    zipped = command_of_run(commands, "pack", "put a run's JSON files but the newest into zips")
    zipped.add_argument("--keep", type=int, default=KEPT, help=f"how many stay, of a kind ({KEPT})")
    zipped.set_defaults(act=_told_of_disks(_pack))
    plain = command_of_run(commands, "unpack", "make the JSON files of a run again")
    plain.set_defaults(act=_told_of_disks(_unpack))

    says = "make a run again from its copy in a backup"
    again = commands.add_parser("restore", help=says, description=says)
    again.add_argument("backup", type=Path, metavar="BACKUP/RUN")
    again.add_argument("to", type=Path, metavar="FOLDER", help="such as models/my_run")
    again.set_defaults(act=_told_of_disks(_restore))


def _told_of_disks(
    act: Callable[[argparse.Namespace], None],
) -> Callable[[argparse.Namespace], None]:
    """The command, with a sentence where a disk refuses: nothing goes before its successor is safe."""

    def told(args: argparse.Namespace) -> None:
        try:
            act(args)
        except OSError as error:
            raise BackupError(
                f"a disk refused, what was not finished is as it was: {error}"
            ) from error

    return told


def clean_runs(args: argparse.Namespace) -> None:
    """Carry out the policies of a folder, or say what they would do."""
    check_folder(args.models)
    from trackway.storage.retention import cuts as cuts_module
    from trackway.storage.retention.act import carry_out
    from trackway.storage.retention.policy import policy_of

    given = {field.name: getattr(args, field.name) for field in fields(Policy)}
    policy = (read_policy(args.models) or Policy()).with_given(**given)
    runs = {run.path: policy_of(run, policy) for run in list_runs(args.models)}
    if not any(of.lets_go for of in [policy, *runs.values()]):
        raise RetentionError(
            f"no policy: write {args.models / 'retention.toml'}, or give --full_days, "
            "--sampled_days, --budget_gb, or --store with --local_days or --local_gb"
        )
    cuts, said = cuts_module.plan(args.models, policy, SYSTEM_CLOCK.unix_s())
    freed = 0
    to_pack = cuts_module.to_pack(args.models, policy, SYSTEM_CLOCK.unix_s())
    said += [f"{folder}: JSON files are packed" for folder in to_pack]
    if not args.dry_run:
        for folder in to_pack:
            packed = pack(folder)
            freed += packed.before_bytes - packed.after_bytes if packed else 0
        held_by = {
            path: _held_by(RunFolder(path), runs[path])
            for path in {cut.stream.attempt.run for cut in cuts}
        }
        for cut in cuts:
            bytes_, more = carry_out(cut, held_by[cut.stream.attempt.run])
            freed, said = freed + bytes_, [*said, *more]
    # What thinning left may go from here as well.
    local = to_free(args.models, policy, SYSTEM_CLOCK.unix_s())
    if not args.dry_run:
        let_go = free(local)
        freed, said = freed + let_go.size_bytes, [*said, *let_go.said]
    if args.json:
        told = {
            "dry_run": args.dry_run,
            "cuts": [_told(cut) for cut in cuts],
            "local": [_told_file(file) for file in local],
            "said": said,
            "freed_bytes": freed,
        }
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        return
    for cut in cuts:
        sys.stdout.write(_sentence(cut) + "\n")
        sys.stdout.writelines(f"  rows {p.first} to {p.last} stay: {p.why}\n" for p in cut.pins)
    for _, group in itertools.groupby(
        sorted(local, key=lambda file: file.stream.path), key=lambda file: file.stream.path
    ):
        sys.stdout.write(_local_sentence(list(group)) + "\n")
    sys.stdout.writelines(f"{line}\n" for line in said)
    would = sum(cut.before_bytes - cut.after_bytes for cut in cuts)
    would += sum(file.size_bytes for file in local)
    sys.stdout.write(
        f"would free about {would / 1e6:,.1f} MB; nothing was touched\n"
        if args.dry_run
        else f"freed {freed / 1e6:,.1f} MB\n"
    )


def _held_by(run: RunFolder, policy: Policy) -> dict[str, Callable[[Path], bool]]:
    """Where a run's files have to be before something of them is let go."""
    places: dict[str, Callable[[Path], bool]] = {}
    if policy.backup is not None:
        Backup(run.path, policy.backup).copy()
        places[str(policy.backup)] = Backup(run.path, policy.backup).holds
    if policy.store is not None:
        places[policy.store] = holder(run, open_store(policy.store))
    return places


def _local_sentence(found: list[LocalFile]) -> str:
    first, size = found[0], sum(file.size_bytes for file in found)
    return (
        f"{first.stream.path}: {len(found)} files, {size / 1e6:,.1f} MB, leave this machine if "
        f"{first.store} has them: {first.why}"
    )


def _told_file(file: LocalFile) -> dict[str, Any]:
    return {
        "run": file.run.name,
        "path": str(file.path),
        "rows": [file.first_row, file.next_row],
        "size_bytes": file.size_bytes,
        "store": file.store,
        "why": file.why,
    }


def _told(cut: Cut) -> dict[str, Any]:
    return {
        "run": cut.stream.attempt.run.name,
        "attempt": cut.stream.attempt.name,
        "stream": cut.stream.name,
        "stage": cut.stage.name.lower(),
        "why": cut.why,
        "before_bytes": cut.before_bytes,
        "after_bytes": cut.after_bytes,
        "pins": [vars(pin) for pin in cut.pins],
    }


def _sentence(cut: Cut) -> str:
    left = "the pinned rows stay" if cut.stage.name == "PINNED" else f"1 row in {cut.every} stays"
    stream = f"{cut.stream.attempt.run.name}/{cut.stream.attempt.name}/{cut.stream.name}"
    size = f"{cut.before_bytes / 1e6:,.1f} MB to about {cut.after_bytes / 1e6:,.1f} MB"
    return f"{stream}: {left}, {size}: {cut.why}"


def _pin(args: argparse.Namespace) -> None:
    run = RunFolder(find_recorded(args.models, args.run))
    if args.rows is None:
        pin_run(run)
    elif args.attempt is None:
        raise RetentionError("rows are counted in each attempt: give --attempt as well")
    else:
        pin_rows(run, args.attempt, *args.rows)


def _pack(args: argparse.Namespace) -> None:
    run = RunFolder(find_recorded(args.models, args.run))
    if is_written(run):
        raise RunError(f"{run.name} is being recorded: pack it when it has ended")
    made = [pack(run.realtime_data / kind, max(0, args.keep)) for kind in KINDS]
    if not any(made):
        sys.stdout.write(
            f"nothing to pack: of no kind there are more than {args.keep} JSON files\n"
        )
    for packed in made:
        if packed is not None:
            sizes = f"{packed.before_bytes / 1e6:,.1f} MB to {packed.after_bytes / 1e6:,.1f} MB"
            sys.stdout.write(f"{packed.path.name}: {packed.files} files, {sizes}\n")


def _unpack(args: argparse.Namespace) -> None:
    run = RunFolder(find_recorded(args.models, args.run))
    count = sum(unpack(run.realtime_data / kind) for kind in KINDS)
    sys.stdout.write(f"{count} files\n")


def _backup(args: argparse.Namespace) -> None:
    if args.beside_training:
        become_writer(19)
        follow_run(RunFolder(args.runs), args.backup)
        return
    while True:
        single = RunFolder(args.runs)
        runs = [single] if single.manifest.is_file() else list_runs(args.runs)
        if not runs:
            raise RunError(f"{args.runs} is no run, and no folder of runs")
        for run in runs:
            copied = Backup(run.path, args.backup).copy(prove=args.prove)
            if copied.files or not args.follow:
                sys.stdout.write(
                    f"{run.name}: {copied.files} files, {copied.size_bytes / 1e6:,.1f} MB copied "
                    "and proven\n"
                )
                sys.stdout.flush()
        if not args.follow:
            return
        SYSTEM_CLOCK.sleep_s(LOOK_S)


def _restore(args: argparse.Namespace) -> None:
    copied = restore(args.backup, args.to)
    sys.stdout.write(f"{copied.files} files, {copied.size_bytes / 1e6:,.1f} MB restored\n")
