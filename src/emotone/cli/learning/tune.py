"""`emotone tune`: search for settings on validation speakers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.learning.options import (
    Classes,
    CorpusFolder,
    CorpusName,
    Device,
    Protocol,
    RecipeName,
    Settings,
    Store,
    Threads,
)
from emotone.cli.options import MapOption, label_rules


def tune(
    corpus: CorpusName,
    directory: CorpusFolder,
    recipe: RecipeName = "encoder",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            help="A setting to vary: key=a,b,c or key=low:high or key=low:high:log. Repeatable. "
            "[default: learning rate, weight decay, epochs, dropout and what else the recipe's network has]",
        ),
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Settings to try, the recipe as it is included.")] = 8,
    protocol: Protocol = None,
    fold: Annotated[
        str, typer.Option("--fold", help="The folds whose validation speakers decide, comma-separated.")
    ] = "0",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the search and of every training.")] = 0,
    set_: Settings = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder. [default: runs/tune-CORPUS-RECIPE]")
    ] = None,
    store: Store = None,
    device: Device = None,
    threads: Threads = 0,
    classes: Classes = None,
    map_: MapOption = None,
) -> None:
    """Search for the settings of a recipe that do best on validation speakers. Test speakers are never scored.

    Prints the best settings as options for `emotone train` and `emotone crossval`. A search that is stopped continues
    where it was. Needs the extra `tune`.
    """
    from rich.console import Console

    from emotone.cli.learning.training_run import check_device, default_store, parse_folds, task
    from emotone.corpora import protocol_folds
    from emotone.evaluation.provenance import command_line
    from emotone.experiments.plan import Plan
    from emotone.experiments.recipe import load_recipe
    from emotone.experiments.tuning import Trial, default_space, parse_parameter
    from emotone.experiments.tuning import tune as search
    from emotone.files import check_writable

    check_device(device)
    console = Console(stderr=True)
    chosen = load_recipe(recipe, set_ or [])
    if rules := label_rules(map_):
        chosen = chosen.model_copy(update={"labels": {**chosen.labels, **rules}})
    space = [parse_parameter(text) for text in vary] if vary else default_space(chosen)
    asked = task(corpus, directory, classes, chosen.labels)
    output = output or Path("runs") / f"tune-{asked.name}-{Path(recipe).stem}"
    check_writable(output / "trials.jsonl")
    plan = Plan(
        corpus=asked,
        folds=protocol_folds(asked, protocol),
        recipe=chosen,
        seeds=(seed,),
        folder=output,
        store=store or default_store(),
        only_folds=parse_folds(fold),
        device=device,
        threads=threads,
        workers=1,
        command=command_line(),
    )
    console.print(
        f"{asked.name}: {len(asked.utterances)} utterances; {plan.folds.protocol}, fold {fold}; recipe {chosen.name}; "
        f"{trials} trials over {', '.join(parameter.key for parameter in space)}; into {plan.folder}",
        markup=False,
        highlight=False,
    )

    def show(number: int, trial: Trial) -> None:
        what = " ".join(trial.settings) or "the recipe as it is"
        line = f"trial {number + 1} of {trials}: validation UAR {100 * trial.validation_uar:.1f}, {what}"
        console.print(line, markup=False, highlight=False)

    best = search(plan, space, n_trials=trials, trial_done=show).best
    print(f"best: validation UAR {100 * best.validation_uar:.1f}")
    print(" ".join(f"--set {setting}" for setting in best.settings) or "the recipe as it is")
