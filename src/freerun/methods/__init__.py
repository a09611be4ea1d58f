"""The methods by name: one file a paper."""

from freerun.methods.aae import AdversarialAutoencoder
from freerun.methods.base import AbstractMethod
from freerun.methods.categorical_vae import CategoricalVAE
from freerun.methods.grammar_vae import GrammarVAE
from freerun.methods.semi_supervised import SemiSupervisedVAE
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.methods.vrae import VRAE

METHODS: dict[str, type[AbstractMethod]] = {
    "teacher_forcing": TeacherForcing,
    "vrae": VRAE,
    "aae": AdversarialAutoencoder,
    "grammar_vae": GrammarVAE,
    "semi_supervised": SemiSupervisedVAE,
    "categorical_vae": CategoricalVAE,
}
