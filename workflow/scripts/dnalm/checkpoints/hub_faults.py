"""What the hub's client raises, as one line that says what to do."""

from __future__ import annotations

import errno

from huggingface_hub import constants
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,  # of the client's transport: no answer, cut, timed out, no such host
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from dnalm.errors import UserError

FAULTS = (HTTPError, OSError, RuntimeError, ValueError)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SIZE_DIFFERS = "Consistency check failed"
LOGIN = "set HF_TOKEN or log in with `hf auth login`"
NOT_FOUND = 404


def status_of(fault: Exception) -> int:
    """Returns the HTTP status of an answer that was a fault, 0 where there was no answer."""
    return fault.response.status_code if isinstance(fault, HfHubHTTPError) else 0


def is_missing_file(fault: Exception) -> bool:
    """Tells a file that the repository does not have from a repository or revision that is not there."""
    known = isinstance(fault, (RepositoryNotFoundError, RevisionNotFoundError))
    return status_of(fault) == NOT_FOUND and not known


def may_pass(fault: Exception) -> bool:
    """Tells the faults that another try may mend and the client itself did not try again.

    The client repeats what it asks about a file (5xx, 429, no answer) and takes up cut connections.
    """
    return status_of(fault) >= 500 or SIZE_DIFFERS in str(fault) or isinstance(fault, RuntimeError)


def as_user_error(where: str, repository: str, fault: Exception) -> UserError:
    """Returns the user's fault that a fault of the client stands for."""
    if isinstance(fault, LocalEntryNotFoundError) and isinstance(fault.__cause__, FAULTS):
        fault = fault.__cause__
    endpoint = constants.ENDPOINT
    if isinstance(fault, (OfflineModeIsEnabled, LocalEntryNotFoundError)):
        return UserError(where, "is not in the cache, and HF_HUB_OFFLINE is set", "Fetch it with a network.")
    if isinstance(fault, FileMetadataError):
        return not_a_hub(where)
    if isinstance(fault, GatedRepoError):
        remedy = f"Accept the licence at {endpoint}/{repository}, then {LOGIN}."
        return UserError(where, f"is gated (HTTP status {status_of(fault)})", remedy)
    if isinstance(fault, RepositoryNotFoundError):
        problem = f"no repository {repository}, or it wants a login (HTTP status {status_of(fault)})"
        return UserError(where, problem, f"Check the name; for a private or gated one {LOGIN}.")
    if isinstance(fault, RevisionNotFoundError):
        return UserError(where, "no such revision", "Check `revision` in resources/models.tsv.")
    if is_missing_file(fault):
        return UserError(where, "no such file in the repository (HTTP status 404)", "Try another --layout.")
    if (status := status_of(fault)) in (401, 403):
        remedy = f"Accept the licence at {endpoint}/{repository} if there is one to accept, then {LOGIN}."
        return UserError(where, f"HTTP status {status}: no access", remedy)
    if status:
        return UserError(where, f"HTTP status {status}, also after trying again", "Run again later.")
    return _without_answer(where, fault)


def _without_answer(where: str, fault: Exception) -> UserError:
    if isinstance(fault, OSError) and fault.errno in FULL:
        return UserError(where, f"{fault.strerror}", "Free space, or set HF_HOME or --cache-dir elsewhere.")
    if isinstance(fault, HTTPError):
        return UserError(
            where,
            f"no answer, or cut ({type(fault).__name__}: {fault})",
            "Check the network, the proxy and HF_ENDPOINT; HF_HUB_OFFLINE=1 uses only what is cached.",
        )
    if isinstance(fault, OSError) and fault.errno:
        return UserError(fault.filename or where, f"{fault.strerror}", "Check the folder of the cache.")
    return UserError(where, f"cannot be fetched ({fault})", "Run again, or with HF_HUB_DISABLE_XET=1.")


def not_a_hub(where: str) -> UserError:
    """Returns the fault of a server that answers without the headers of a hub."""
    return UserError(
        where,
        "the server does not answer as a hub (X-Repo-Commit or ETag is missing)",
        "Check HF_ENDPOINT or --endpoint, and proxies between.",
    )
