"""What a lesson file holds: each key, its type and its meaning.

The meanings are those of the table in ``docs/lessons.md``.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(title="text", min_length=1, max_length=20_000)]
Formula = Annotated[str, Meta(min_length=1, max_length=500)]
Settings = dict[str, Any]
"""Keys of a config, as in a config file."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction that a learner is asked for before the experiments."""

    asks: Annotated[Text, Meta(description="the question")]
    choices: Annotated[
        tuple[Text, ...], Meta(min_length=2, max_length=9, description="the answers to choose from")
    ]
    answer: Annotated[int, Meta(ge=1, le=9, description="the number of the right answer, from 1")]


class Hand(msgspec.Struct, frozen=True, kw_only=True):
    """Another hand: how all of its digits differ from the dataset's."""

    slant: Annotated[
        float, Meta(ge=-2, le=2, description="pixels to the right for each pixel up")
    ] = 0.0
    turn: Annotated[float, Meta(ge=-180, le=180, description="degrees clockwise")] = 0.0


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """One network that is trained."""

    label: Annotated[Text, Meta(description="its name in texts and charts")]
    set: Annotated[Settings, Meta(description="keys of its config, besides those of `base`")] = (
        msgspec.field(default_factory=dict)
    )
    inverted: Annotated[
        float, Meta(ge=0, le=1, description="fraction of its images that are shown as negatives")
    ] = 0.0
    hand: Annotated[
        Hand | None,
        Meta(description="how another hand writes its images, the unseen ones included"),
    ] = None
    after: Annotated[
        str | None, Meta(description="the experiment whose trained weights it starts from")
    ] = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence about what happens, and the rule by which it is checked."""

    says: Annotated[Text, Meta(description="the sentence, with figures in braces")]
    holds: Annotated[Formula, Meta(description="a formula that is true if the sentence is")]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart: one of ``curve``, ``bars`` and ``pictures``."""

    title: Annotated[Text, Meta(description="what it shows")]
    note: Annotated[str, Meta(description="a sentence on how to read it")] = ""
    curve: Annotated[
        Annotated[tuple[Text, ...], Meta(min_length=1)] | Text | None,
        Meta(description="a score over the epochs, or a list of them; a line an experiment"),
    ] = None
    bars: Annotated[
        dict[str, Formula] | None, Meta(description="a bar a label, as long as its formula's value")
    ] = None
    pictures: Annotated[
        Formula | None, Meta(description="what to show as pictures, as in `weights(deep, 10)`")
    ] = None
    experiments: Annotated[
        tuple[str, ...] | None, Meta(description="the lines of `curve`, if not all experiments")
    ] = None
    shows: Annotated[
        Literal["number", "fraction"], Meta(description="`fraction`: bars are percentages")
    ] = "number"
    scale: Annotated[
        Literal["linear", "log"], Meta(description="`log`: each step is a factor of ten")
    ] = "linear"

    @property
    def scores(self) -> tuple[str, ...]:
        """The scores of ``curve``."""
        curve = self.curve or ()
        return (curve,) if isinstance(curve, str) else curve


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something to change and try."""

    run: Annotated[Text, Meta(description="the command")]
    to: Annotated[Text, Meta(description="what it shows")]


class LessonFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a lesson file."""

    title: Annotated[Text, Meta(description="one line, for the list of lessons")]
    source: Annotated[Text, Meta(description="the paper or the chapter that it comes from")]
    idea: Annotated[Text, Meta(description="what it is about and what will be tried, in Markdown")]
    question: Annotated[Question, Meta(description="the prediction to ask for")]
    experiments: Annotated[
        dict[str, Experiment], Meta(description="the networks to train, by name")
    ] = msgspec.field(default_factory=dict)
    kind: Annotated[str, Meta(description="what is done besides training (see Kinds)")] = "training"
    base: Annotated[Settings, Meta(description="keys of every experiment's config")] = (
        msgspec.field(default_factory=dict)
    )
    figures: Annotated[dict[str, Formula], Meta(description="named formulas, for texts")] = (
        msgspec.field(default_factory=dict)
    )
    claims: Annotated[
        tuple[Claim, ...], Meta(min_length=1, description="what happens, and how it is checked")
    ]
    charts: Annotated[tuple[Chart, ...], Meta(description="charts")] = ()
    explanation: Annotated[Text, Meta(description="why it happens, in Markdown")]
    next: Annotated[
        tuple[NextStep, ...], Meta(min_length=1, description="what to change, as commands")
    ]
