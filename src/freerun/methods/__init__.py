"""The methods by name: one file a paper."""

from freerun.methods.aae import AdversarialAutoencoder
from freerun.methods.base import AbstractMethod
from freerun.methods.categorical_vae import CategoricalVAE
from freerun.methods.grammar_vae import GrammarVAE
from freerun.methods.gumbel_gan import GumbelGAN
from freerun.methods.hill_climb import HillClimb
from freerun.methods.maligan import MaliGAN
from freerun.methods.organ import ORGAN
from freerun.methods.professor_forcing import ProfessorForcing
from freerun.methods.reinforce import Reinforce
from freerun.methods.reinvent import Reinvent
from freerun.methods.scheduled_sampling import ScheduledSampling
from freerun.methods.semi_supervised import SemiSupervisedVAE
from freerun.methods.seqgan import SeqGAN
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.methods.vrae import VRAE

METHODS: dict[str, type[AbstractMethod]] = {
    "teacher_forcing": TeacherForcing,
    "vrae": VRAE,
    "aae": AdversarialAutoencoder,
    "grammar_vae": GrammarVAE,
    "semi_supervised": SemiSupervisedVAE,
    "categorical_vae": CategoricalVAE,
    "scheduled_sampling": ScheduledSampling,
    "professor_forcing": ProfessorForcing,
    "reinforce": Reinforce,
    "seqgan": SeqGAN,
    "maligan": MaliGAN,
    "gumbel_gan": GumbelGAN,
    "organ": ORGAN,
    "reinvent": Reinvent,
    "hill_climb": HillClimb,
}
