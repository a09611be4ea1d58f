"""The methods by name: one file a paper."""

from freerun.methods.base import AbstractMethod
from freerun.methods.teacher_forcing import TeacherForcing

METHODS: dict[str, type[AbstractMethod]] = {
    "teacher_forcing": TeacherForcing,
}
