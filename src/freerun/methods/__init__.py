"""The methods by name: one file a paper."""

from freerun.methods.base import AbstractMethod
from freerun.methods.grammar_vae import GrammarVAE
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.methods.vrae import VRAE

METHODS: dict[str, type[AbstractMethod]] = {
    "teacher_forcing": TeacherForcing,
    "vrae": VRAE,
    "grammar_vae": GrammarVAE,
}
