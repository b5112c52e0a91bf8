"""The one class for a fault that the user can mend."""


class UserError(Exception):
    """Says where a fault is, what it is and what to do, in one line.

    The command line prints it without a traceback and ends with exit status 2.
    """

    def __init__(self, where: object, problem: str, remedy: str = "") -> None:
        self.where, self.problem, self.remedy = str(where), problem.rstrip("."), remedy
        message = f"{self.where}: {self.problem}. {remedy}".rstrip()
        super().__init__(" ".join(message.split("\n")))
