"""`/api/v1/auth`: registration, log-in, tokens and passwords."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from api.catalogue.users import Profile, own_profile
from api.errors import TooManyAttempts
from api.identity.accounts import TokenPair
from api.identity.errors import LoginElsewhere, RefreshRefused, ResetRefused, WrongCredentials, WrongPassword
from api.identity.passwords import LONGEST, SHORTEST
from api.rest.endpoint import Access, Call, Document, Resource, dump
from api.rest.fields import EmailAddress, RequestSchema, email_address, optional_text, storable, text
from engine.catalogue_errors import AlreadyExists, NoAccount

authentication = Resource("/api/v1/auth", tag="Authentication")

_RESET_MAIL_SENT = "If an account with this address exists, a mail with a reset link is on its way"


def _new_password() -> fields.String:
    description = (
        "Must not be the e-mail address or a run of keyboard keys, and must have at least five different "
        "characters."
    )
    return fields.String(
        required=True,
        validate=[validate.Length(SHORTEST, LONGEST), storable],
        metadata={"description": description, "format": "password", "example": "correct horse battery"},
    )


def _current_password() -> fields.String:
    return text(LONGEST, required=True, metadata={"format": "password", "example": "correct horse battery"})


def _secret(**options: Any) -> fields.String:
    return text(200, required=True, metadata={"example": "Zb1x5tXkq0wZ8cQJ6n2fL4rT9yV3mA7sD"}, **options)


class Registration(RequestSchema):
    email = email_address(required=True)
    password = _new_password()
    full_name = optional_text(200, load_default="", metadata={"example": "Ada Byron"})


@authentication.post(
    "/register",
    access=Access.PUBLIC,
    body=Registration,
    answers=Profile,
    status=201,
    refusals=(AlreadyExists, TooManyAttempts),
    secret=True,
)
async def register(call: Call, email: str, password: str, full_name: str) -> Document:
    """Register an account.

    An e-mail address can have one account; its case is ignored (`email_exists`).
    """
    return dump(Profile, await call.services.accounts.register(call.address, email, password, full_name))


class PasswordLogin(RequestSchema):
    email = EmailAddress(
        required=True, validate=[validate.Length(1, 254), storable], metadata={"example": "ada@home.example"}
    )
    password = _current_password()


class OAuthLogin(RequestSchema):
    """The form of RFC 6749, section 4.3.2. Unknown fields are ignored, as section 3.2 requires."""

    class Meta:
        unknown = EXCLUDE

    email = EmailAddress(
        required=True,
        data_key="username",
        validate=[validate.Length(1, 254), storable],
        metadata={"example": "ada@home.example"},
    )
    password = _current_password()


class IssuedTokens(Schema):
    """Response to a log-in (RFC 6749, section 5.1)."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True, metadata={"description": "Can be used once."})
    token_type = fields.String(required=True, validate=validate.Equal("bearer"))
    expires_in = fields.Integer(
        required=True, metadata={"description": "Lifetime of the access token, in seconds.", "example": 3600}
    )


def _tokens(pair: TokenPair) -> Document:
    return {**pair._asdict(), "token_type": "bearer"}


@authentication.post(
    "/login",
    access=Access.PUBLIC,
    body=PasswordLogin,
    form=OAuthLogin,
    answers=IssuedTokens,
    refusals=(WrongCredentials, TooManyAttempts, LoginElsewhere),
    secret=True,
)
async def log_in(call: Call, email: str, password: str) -> Document:
    """Log in.

    Accepts JSON with `email` and `password`, or the OAuth2 form with `username` and `password`.
    """
    return _tokens(await call.services.accounts.log_in(call.address, email, password))


@authentication.get("/me", answers=Profile, refusals=(NoAccount,))
async def get_me(call: Call) -> Document:
    """Get the caller's profile.

    A token issued by another service may name a user who has no account here (`user_not_found`).
    """
    return await own_profile(call)


class Goodbye(RequestSchema):
    everywhere = fields.Boolean(
        load_default=False,
        metadata={"description": "End all log-ins of the account, on other devices too."},
    )


@authentication.post("/logout", query=Goodbye, status=204, refusals=(NoAccount,), secret=True)
async def log_out(call: Call, everywhere: bool) -> None:
    """Log out.

    Revokes the access and refresh tokens of this log-in, or of all log-ins of the account, and closes the
    WebSockets opened with them.
    """
    if everywhere:
        await call.services.accounts.log_out_everywhere(call.account_id)
    else:
        await call.services.accounts.log_out(call.caller)


class PasswordChange(RequestSchema):
    current_password = _current_password()
    new_password = _new_password()


@authentication.put(
    "/change-password",
    body=PasswordChange,
    answers=IssuedTokens,
    refusals=(NoAccount, WrongPassword, TooManyAttempts, LoginElsewhere),
    secret=True,
)
async def change_password(call: Call, current_password: str, new_password: str) -> Document:
    """Change the password.

    Revokes all tokens of the account and closes its WebSockets. The response contains new tokens.
    """
    accounts = call.services.accounts
    return _tokens(
        await accounts.change_password(call.address, call.account_id, current_password, new_password)
    )


class Refresh(RequestSchema):
    refresh_token = _secret()


@authentication.post(
    "/refresh-token",
    body=Refresh,
    answers=IssuedTokens,
    refusals=(RefreshRefused, LoginElsewhere),
    secret=True,
)
async def refresh_token(call: Call, refresh_token: str) -> Document:
    """Get new tokens.

    Requires a valid access token of the same user, so call it before that token expires. A refresh token
    can be used once; a second use ends its log-in.
    """
    return _tokens(await call.services.accounts.renew(call.caller, refresh_token))


class Forgotten(RequestSchema):
    email = email_address(required=True)


class ResetRequested(Schema):
    message = fields.String(required=True)


@authentication.post(
    "/forgot-password",
    access=Access.PUBLIC,
    body=Forgotten,
    answers=ResetRequested,
    status=202,
    refusals=(TooManyAttempts,),
    secret=True,
)
async def forgot_password(call: Call, email: str) -> Document:
    """Request a mail with a link to reset the password.

    The response is the same whether or not the account exists. The link leads to the page
    `/reset-password?token=…` of the cinema's site; pass the token to reset-password.
    """
    accounts = call.services.accounts
    await accounts.count_attempt(call.address)
    call.background.start(accounts.send_reset(email, call.accepted_language or ""))
    return {"message": _RESET_MAIL_SENT}


class Reset(RequestSchema):
    token = _secret()
    new_password = _new_password()


@authentication.post(
    "/reset-password",
    access=Access.PUBLIC,
    body=Reset,
    status=204,
    refusals=(ResetRefused,),
    secret=True,
)
async def reset_password(call: Call, token: str, new_password: str) -> None:
    """Set a new password with the token from the reset mail.

    The token can be used once. All log-ins of the account are ended.
    """
    await call.services.accounts.reset_password(call.address, token, new_password)
