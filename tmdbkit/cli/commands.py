"""What each command does with its arguments: the verbs, and what they print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmdbkit import __version__
from tmdbkit.cli.inputs import (
    ask_consent,
    filled,
    given_ids,
    names_ids,
    needed_ids,
    needs_consent,
    open_scope,
    open_session,
    open_stage,
    open_target,
    output_file,
    same_stage,
)
from tmdbkit.cli.listed import table_of_file, tell_not_staged
from tmdbkit.cli.named import name_staged
from tmdbkit.cli.output import FINE, FOUND, kept_for_json, say, say_aside, show
from tmdbkit.exceptions import UsageError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse

    from tmdbkit.convex.plan import Plan
    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Target
    from tmdbkit.stage.stage import Stage


def stage(args: argparse.Namespace) -> int:
    """Fetch movies into the stage."""
    from tmdbkit.workflows import stage_movies
    from tmdbkit.workflows.matching import note_listed

    staged = open_stage(args)
    with open_session() as session:
        staged.store.marker.check(session.settings.language)  # before TMDB is asked for ids
        result = stage_movies(session, staged, needed_ids(args), refresh=args.refresh)
    listed = table_of_file(args.from_file, args.id) if args.from_file else None
    if listed is not None:
        note_listed(staged, listed)
    result = replace(result, http_requests=result.http_requests + args.requests)
    status = show(args, result, failed=result.failed)
    if not args.json:
        told = {"show": len(staged), "ratings": len(staged)}
        told |= {"show --not-on-tmdb": result.missing, "show --failed": result.failed}
        after = ", ".join(f"tmdbkit {verb}{same_stage(args)}" for verb, of in told.items() if of)
        say(f"in {staged.store.root.full}{after and f'; next: {after}'}")
    return status


def refresh(args: argparse.Namespace) -> int:
    """Fetch staged movies again."""
    from tmdbkit.workflows import refresh_movies
    from tmdbkit.workflows.fetching import check_language

    staged = open_stage(args)
    if args.language is None:
        filled(staged)
    else:
        which = names_ids(args) or args.from_target or args.snapshot
        check_language(args.language, alone=not which)
    with open_session() as session:
        if args.language is None:
            staged.store.marker.check(session.settings.language)  # before TMDB is asked for ids
        ids = given_ids(args)
        if ids:
            tell_not_staged(ids, staged)
        result = refresh_movies(
            session,
            staged,
            ids,
            changed=args.changed,
            older_than=args.older_than,
            language=args.language,
        )
    result = replace(result, http_requests=result.http_requests + args.requests)
    if left := staged.store.marker.is_changing:
        say_aside(f"not all is in {staged.store.marker.language} yet; run the same again")
    return show(args, result, failed=result.failed + left)


def plan(args: argparse.Namespace) -> int:
    """Say what a push would do, and change nothing."""
    from tmdbkit.workflows import plan_push

    scope, staged = open_scope(args, open_stage(args)), _filled_or_rated(args)
    saved = output_file(args.save, "--save") if args.save else None
    contract = output_file(args.save_contract, "--save-contract") if args.save_contract else None
    name_staged(args, staged)
    ids = given_ids(args)
    target = open_target(args, "plan for", begins=True)
    if contract is not None:
        target.contract().save(contract)
    made = plan_push(
        staged,
        target,
        ids,
        approved=args.approved,
        scope=scope,
        limit=args.limit,
        people=args.people,
        images=args.images,
    )
    if args.movie is not None and args.movie not in made.ids():
        raise UsageError(
            f"{args.movie} is not in the plan; stage it with tmdbkit stage {args.movie}, "
            "or leave out other ids and --limit"
        )
    if saved is not None:
        made.save(saved)
    if args.movie is not None:
        made = made.of(args.movie)
    if args.movie is not None and not (args.json or args.rows):
        say("\n  ".join([repr(made[args.movie]), *made.document(args.movie)]))
        return FINE
    counts = made.counts()
    found = ("failed", "not_staged", "unknown")
    status = show(args, made, failed=sum(int(counts.get(name, 0)) for name in found))
    if args.size and not args.json:
        _print_sizes(target)
    return status


def _print_sizes(target: Target) -> None:
    from tmdbkit.convex.read import TOO_LARGE, measure

    known = [table for table in ("movies", "crew", "genres") if target.contract().knows(table)]
    for table, documents, mib, too_large in measure(target, known).rows():
        warning = f" · {TOO_LARGE}" if too_large else ""
        say(f"there in {table}: {documents:,} documents, {mib:.2f} MiB{warning}")


def push(args: argparse.Namespace) -> int:
    """Send staged movies to Convex, or exactly a plan that was saved."""
    from tmdbkit.workflows import plan_push
    from tmdbkit.workflows import push as push_movies

    scope, plan = open_scope(args, open_stage(args)), _saved_plan(args)
    staged = _filled_or_rated(args) if plan is None else open_stage(args)
    name_staged(args, staged)
    ids = given_ids(args)
    target = open_target(args, "push to", begins=True)
    what: dict[str, Any] = {
        "approved": args.approved,
        "scope": scope,
        "limit": args.limit,
        "images": args.images,
    }
    if needs_consent(args, target):
        plan = plan or plan_push(staged, target, ids, people=args.people, **what)
        _print_counts(plan)
        if plan:
            ask_consent(target)
    if plan is not None:  # exactly what was looked at
        result = push_movies(staged, target, plan=plan, people=args.people)
    else:
        result = push_movies(staged, target, ids, people=args.people, **what)
    status = show(args, result, failed=_amiss(result))
    if result.anew is not None:
        _print_anew(args, result.anew)
    return status


def _amiss(result: PushResult) -> int:
    """Return of how many movies it is not so that they are as they were sent."""
    return result.failed + result.conflicts + result.unknown


def _print_plan(plan: Plan) -> None:
    """Say what a plan that deletes or takes back would do, before anybody is asked."""
    for line in repr(plan).splitlines()[1:]:
        if not line.endswith(": 0") and not line.startswith(("unchanged: ", "batches: ")):
            say_aside(line)


def _print_counts(plan: Plan) -> None:
    """Say in one line what a plan would change, before anybody is asked."""
    counts = {name: count for name, count in plan.counts().items() if name != "target" and count}
    say_aside(", ".join(f"{name} {count:,}" for name, count in counts.items()) or "no change")


def _print_anew(args: argparse.Namespace, anew: Plan) -> None:
    """Say how what was changed meanwhile is looked at again, and sent."""
    if not args.plan:
        say_aside("someone else changed those meanwhile; tmdbkit plan shows them as they are now")
        return
    path = Path(args.plan).expanduser()
    saved = path.with_name(f"{path.stem}.anew{path.suffix}")
    anew.save(saved)
    say_aside(f"planned anew in {saved}: look at it, then tmdbkit push --plan {saved}")


def _filled_or_rated(args: argparse.Namespace) -> Stage:
    """Open a stage that has movies, or where only some fields are meant ratings of any."""
    staged = open_stage(args)
    return staged if args.only and not staged.store.rated_only().is_empty() else filled(staged)


def _saved_plan(args: argparse.Namespace) -> Plan | None:
    from tmdbkit.convex.plan import Plan

    if not args.plan:
        return None
    limits = (args.only, args.create_only, args.clear, args.limit, args.approved, args.images)
    if any(limits) or names_ids(args):
        raise UsageError(
            "--plan sends exactly that plan; leave out ids, --only, --create-only, --clear, "
            "--limit, --images and --approved"
        )
    return Plan.load(Path(args.plan).expanduser())


def verify(args: argparse.Namespace) -> int:
    """Compare what was pushed with the stage, field by field."""
    from tmdbkit.workflows import verify as verify_movies

    staged = filled(open_stage(args))
    name_staged(args, staged)
    ids = given_ids(args)
    result = verify_movies(staged, open_target(args, "verify"), ids)
    counts = result.counts()
    found = ("different", "absent", "not_staged", "unknown")
    return show(args, result, failed=sum(counts.get(name, 0) for name in found))


def undo(args: argparse.Namespace) -> int:
    """Take a push back, after showing what that means."""
    from tmdbkit.workflows import push as push_movies
    from tmdbkit.workflows import undo as plan_undo

    staged = open_stage(args)
    target = open_target(args, "undo in")
    asks = needs_consent(args, target, everywhere=True)
    back = plan_undo(staged, target, args.push, referenced=args.referenced)
    _print_plan(back)
    if asks and back:
        ask_consent(target)
    result = push_movies(staged, target, plan=back)
    return show(args, result, failed=_amiss(result) + result.withheld)


def import_(args: argparse.Namespace) -> int:
    """Fetch movies and send them, with no stage in between."""
    from tmdbkit.workflows import import_direct

    stage, target = open_stage(args), open_target(args, "import into", begins=True)
    asks = needs_consent(args, target)
    ids = needed_ids(args)
    if asks:
        say_aside(counted(len(set(ids)), "movie"))
        ask_consent(target)
    with open_session() as session:
        result = import_direct(session, target, ids, stage=stage, people=args.people)
    return show(args, result, failed=_amiss(result))


ABSENT_SHARE = 0.05  # of what the stage holds; more than that is more often a mistake


def delete(args: argparse.Namespace) -> int:
    """Delete movies from Convex, after showing which and asking."""
    from tmdbkit.convex.results import DeleteResult
    from tmdbkit.workflows import plan_deletion
    from tmdbkit.workflows import push as push_movies

    staged = open_stage(args)
    target = open_target(args, "delete from")
    asks = needs_consent(args, target, everywhere=True)
    name_staged(args, staged)
    ids = _absent(args, staged, target) if args.absent else needed_ids(args)
    named = f": {', '.join(map(str, ids[:20]))}{' …' * (len(ids) > 20)}" if ids else ""
    say_aside(f"{counted(len(ids), 'movie')}{named}")
    plan = plan_deletion(staged, target, ids, referenced=args.referenced)
    _print_plan(plan)
    if asks and plan:
        ask_consent(target)
    result = push_movies(staged, target, plan=plan)
    return show(args, DeleteResult(result), failed=_amiss(result) + result.withheld)


def _absent(args: argparse.Namespace, staged: Stage, target: Target) -> list[int]:
    """Return what --absent would delete, where that is not suspiciously much."""
    from tmdbkit.workflows import absent_from_stage

    if names_ids(args):
        raise UsageError("--absent finds the ids itself; leave out others")
    ids = absent_from_stage(staged, target)
    most = args.max if args.max is not None else int(len(staged) * ABSENT_SHARE)
    if len(ids) > most:
        raise UsageError(
            f"--absent would delete {counted(len(ids), 'movie')}, more than {most:,}; "
            f"if that is meant, say --max {len(ids)}"
        )
    return ids


def functions(args: argparse.Namespace) -> int:
    """Copy the Convex functions into an app, and say what to do next."""
    from tmdbkit.convex.install import install_functions

    folder = Path(args.folder).expanduser()
    _print_doubt(folder)
    done = install_functions(folder)
    files = {"written": done.written, "current": done.current, "changed": done.changed}
    told = {name: [str(path) for path in paths] for name, paths in files.items()}
    if not kept_for_json(args, {**told, "schema_lacks": list(done.schema_lacks)}):
        _print_functions(told, done.schema_lacks)
    return FOUND if done.changed else FINE


def _print_doubt(folder: Path) -> None:
    """Warn where a folder that exists is no app's convex folder by the look of it."""
    looks_right = folder.resolve().name == "convex" or (folder / "_generated").exists()
    if folder.is_dir() and not looks_right:
        say_aside(
            f"{folder} does not look like an app's convex folder; the files go there all the same"
        )


def _print_functions(files: dict[str, list[str]], lacks: tuple[str, ...]) -> None:
    for path in files["written"]:
        say(f"written  {path}")
    for path in files["current"]:
        say(f"current  {path}")
    for path in files["changed"]:
        say(f"kept     {path}: someone changed it; move it away to get tmdbkit {__version__}'s")
    if lacks:
        say("\nYour schema stays as it is. Add to it:")
        for line in lacks:
            say(f"  {line}")
    say(_AFTER_FUNCTIONS)


_AFTER_FUNCTIONS = """
Before the next step: `npx convex deploy` ships the whole folder, not this file alone. Deploy from
the commit that is live, with these files added, and nothing half-done goes out with them.

If your app puts https://image.tmdb.org/t/p/... in front of images by itself, set
TMDBKIT_IMAGES=path.

Next:
  npx convex deploy                 (or npx convex dev, to try it first)
  CONVEX_URL and CONVEX_DEPLOY_KEY  into .env; the dashboard has both under Settings. The key
                                    needs deployment:functions:runInternalQueries, and to write
                                    deployment:functions:runInternalMutations
  tmdbkit push"""
