"""The critic of behaviours: does a generator run under a teacher, or free?

Lamb et al. 2016, arXiv:1610.09038: a bidirectional GRU reads what the network does at each step, and a network of three
layers judges. Between the two the states are averaged over the sequence's own steps, as in the released code.
"""

import dataclasses
import itertools

from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.models.sequence_critic import MeanOfStates


@dataclasses.dataclass(frozen=True)
class BehaviourShape:
    """What the critic is made of: the table `[method.critic]`.

    Args:
        d_hidden: Width of the GRU in each direction.
        widths: Of the hidden layers behind it.

    Raises:
        ValueError: If a width is below 1.
    """

    d_hidden: int = 128
    widths: tuple[int, ...] = (128, 128)

    def __post_init__(self):
        if min((self.d_hidden, *self.widths)) < 1:
            raise ValueError(f"d_hidden {self.d_hidden} and widths {self.widths} must be at least 1")

    def build(self, d_behaviour: int) -> "BehaviourCritic":
        return BehaviourCritic(d_behaviour, self.d_hidden, self.widths)


class BehaviourCritic(nn.Module):
    """Bidirectional GRU, mean over time, rectified layers, one number.

    Args:
        d_behaviour: Width of what is told of each step.
        d_hidden: Width of the GRU in each direction.
        widths: Of the hidden layers.
    """

    def __init__(self, d_behaviour: int, d_hidden: int, widths: tuple[int, ...]):
        super().__init__()
        self.reader = MeanOfStates(d_behaviour, d_hidden)
        layers: list[nn.Module] = []
        for d_in, d_out in itertools.pairwise((self.reader.width, *widths)):
            layers += [nn.Linear(d_in, d_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear((self.reader.width, *widths)[-1], 1))

    def forward(
        self, behaviour: Float[Tensor, "batch time behaviour"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        """The logit of "teacher-forced".

        Args:
            lengths: Steps of each sequence, at least 1; what lies beyond them is not read.
        """
        return self.layers(self.reader(behaviour, lengths))[:, 0]
