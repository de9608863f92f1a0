"""The answer to a request that ended in an error."""

import logging

from api.errors import ApiError, InternalError
from api.rest.endpoint import Answer
from api.rest.errors import problem_of
from api.rest.styles import Style
from engine.errors import EngineError, forget_frames

log = logging.getLogger("frontrow.api")


def refusal_answer(error: BaseException, style: Style, request_id: str) -> Answer:
    """Return the refusal, or 500 for any other exception, which is a bug and is logged."""
    if isinstance(error, ApiError | EngineError):
        try:
            answer = Answer.of(*style.render_error(problem_of(error)))
            forget_frames(error)
            return answer
        except Exception as defect:
            error = defect
    log.error("request %s failed", request_id, exc_info=error)
    forget_frames(error)
    return Answer.of(*style.render_error(problem_of(InternalError(request_id))))
