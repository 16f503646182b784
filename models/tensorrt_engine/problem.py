"""The one error of this package: its text is for the user and says what to do."""


class EngineProblem(Exception):
    pass
