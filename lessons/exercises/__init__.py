"""Exercises: the reader fills in a function, a checker says whether it is right.

How a lesson holds one (`notebooks/01_voc_instances.ipynb`):

    a cell tagged "exercise"       def box_of(mask: Tensor) -> Tensor:
                                       '''What to do.'''
                                       raise NotImplementedError("the box of a mask")

    the next cell                  attempt(lesson_01.check_box_of, box_of)

The checker lives in `lessons/exercises/lesson_01.py`, is called `check_` + the function's name, takes the
answer and raises AssertionError with a hint where it is wrong. It lets NotImplementedError pass, which is a
RuntimeError: mind what you catch. `notebooks/solutions/01_voc_instances.ipynb` holds, under the same name and
signature, a cell tagged "solution" and one tagged "wrong": a mistake that a reader might make. A test holds
the three together: the solution is accepted, the stub is "not done yet", the mistake is rejected. Each tagged
cell defines one function and needs nothing that its notebook has not imported in a cell tagged "imports" (or
untagged cells: they are not run by the test) or in itself.
"""

from lessons.exercises.attempts import attempt

__all__ = ["attempt"]
