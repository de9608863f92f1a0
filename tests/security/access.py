"""Permissions to call each operation and open each socket: written by hand, beside the declarations.

A declaration that is wrong also makes a wrong document, so tests compare both with these tables. A new
operation fails `test_roles.py` until it has its line here.
"""

from collections.abc import Iterator, Mapping
from enum import Enum


class Access(Enum):
    """Callers of an operation. Administrators are users, and guests have an account of their own kind."""

    ANYBODY = "everybody; tokens are not looked at"
    GUESTS = "everybody; a token that is sent must be a valid one of a user"
    SHOPPERS = "guests and users with a token; with FRONTROW_GUEST_PURCHASE everybody"
    USERS = "guests and users with a token"
    BUYERS = "guests and users with a token, and the service `payments`"
    ADMINS = "administrators"
    DOOR = "administrators, and the service `check-in`"
    CRON = "whoever has the secret of scheduled jobs"


_OPERATIONS: Mapping[Access, str] = {
    Access.ANYBODY: """
        GET /
        GET /asyncapi
        GET /asyncapi.json
        GET /docs
        GET /docs/page.js
        GET /health
        GET /healthz
        GET /metrics
        GET /openapi.json
        GET /readyz
        GET /redoc
        GET /room/{room_id}/selections
        GET /stats
        GET /ws/stats
        POST /api/v1/auth/forgot-password
        POST /api/v1/auth/login
        POST /api/v1/auth/register
        POST /api/v1/auth/reset-password
        GET /api/v1/casts/
        GET /api/v1/casts/movie/{movie_id}
        GET /api/v1/casts/{cast_id}
        GET /api/v1/cinemas/
        GET /api/v1/cinemas/search
        GET /api/v1/cinemas/{cinema_id}
        GET /api/v1/cinemas/{cinema_id}/amenities
        GET /api/v1/cinemas/{cinema_id}/movies
        GET /api/v1/cinemas/{cinema_id}/rooms/
        GET /api/v1/cinemas/{cinema_id}/showtimes
        GET /api/v1/movies/
        GET /api/v1/movies/advanced-search
        GET /api/v1/movies/coming-soon
        GET /api/v1/movies/filter
        GET /api/v1/movies/reviews/{review_id}
        GET /api/v1/movies/search
        GET /api/v1/movies/trending
        GET /api/v1/movies/{movie_id}
        GET /api/v1/movies/{movie_id}/cast
        GET /api/v1/movies/{movie_id}/reviews
        GET /api/v1/movies/{movie_id}/reviews/summary
        GET /api/v1/movies/{movie_id}/showtimes
        POST /api/v1/payments/stripe
        GET /api/v1/rooms/{room_id}
        GET /api/v1/rooms/{room_id}/layout
        GET /api/v1/rooms/{room_id}/layout.csv
        GET /api/v1/rooms/{room_id}/seats/
        GET /api/v1/screenings/
        GET /api/v1/screenings/{screening_id}
        GET /api/v1/screenings/{screening_id}/availability
        GET /api/v1/screenings/{screening_id}/available-seats
        GET /api/v1/screenings/{screening_id}/prices
        POST /api/v1/seat-reservations/cleanup
        GET /api/v1/seat-reservations/screening/{screening_id}/availability
        GET /api/v1/seat-types/
        GET /api/v1/showtimes/
        GET /api/v1/showtimes/{showtime_id}
        GET /api/v1/showtimes/{showtime_id}/seats
        GET /api/v1/tickets/qr-key
        GET /api/v1/users/{user_id}
        GET /api/v1/users/{user_id}/profile-picture
        """,
    Access.GUESTS: """
        GET /api/public/availability/{ticket_type_id}
        GET /api/public/box-office
        GET /api/public/events
        GET /api/public/events/{event_id}
        POST /api/public/guests
        POST /api/public/guests/ticket-links
        GET POST /api/public/reservations
        GET PATCH DELETE /api/public/reservations/{reservation_id}
        POST /api/public/sessions
        GET /api/public/tickets
        GET /api/public/tickets/{ticket_id}/calendar.ics
        GET /api/public/tickets/{ticket_id}/qr.png
        GET /api/public/tickets/{ticket_id}/qr.svg
        GET /api/v1/screenings/{screening_id}/channel-seats
        POST /api/v1/waitlist
        GET /api/v1/waitlist/me
        DELETE /api/v1/waitlist/{entry_id}
        """,
    Access.SHOPPERS: """
        POST /api/public/reservations/{reservation_id}/purchase
        """,
    Access.USERS: """
        PUT DELETE /api/public/guests/me
        PUT /api/v1/auth/change-password
        POST /api/v1/auth/logout
        GET /api/v1/auth/me
        POST /api/v1/auth/refresh-token
        GET /api/v1/cinemas/favorites
        POST DELETE /api/v1/cinemas/{cinema_id}/favorite
        GET /api/v1/movies/recommended
        PUT DELETE /api/v1/movies/reviews/{review_id}
        POST /api/v1/movies/reviews/{review_id}/react
        POST /api/v1/movies/{movie_id}/reviews
        GET /api/v1/refunds/me
        POST /api/v1/seat-reservations/best-available
        DELETE /api/v1/seat-reservations/cancel/{screening_id}
        POST /api/v1/seat-reservations/extend
        GET /api/v1/seat-reservations/my-reservations
        POST /api/v1/seat-reservations/notify-when-free
        POST /api/v1/seat-reservations/reserve
        GET /api/v1/seat-reservations/screening/{screening_id}/availability/me
        POST /api/v1/seat-reservations/toggle
        GET /api/v1/tickets/my-tickets
        GET PATCH /api/v1/tickets/{ticket_id}
        POST /api/v1/tickets/{ticket_id}/resend
        GET PUT DELETE /api/v1/users/me
        PUT /api/v1/users/me/preferences
        PUT /api/v1/users/me/profile-picture
        PUT /api/v1/users/me/profile-picture-url
        GET POST DELETE /api/v1/users/me/search-history
        DELETE /api/v1/users/me/search-history/{search_id}
        """,
    Access.BUYERS: """
        DELETE /api/v1/tickets/
        POST /api/v1/tickets/book
        POST /api/v1/tickets/book-from-reservation
        POST /api/v1/tickets/move
        DELETE /api/v1/tickets/{ticket_id}
        POST /api/v1/tickets/{ticket_id}/confirm-payment
        POST /api/v1/tickets/{ticket_id}/move
        """,
    Access.ADMINS: """
        GET POST /api/admin/events
        GET PATCH DELETE /api/admin/events/{event_id}
        POST /api/admin/events/{event_id}/close
        POST /api/admin/events/{event_id}/reopen
        GET /api/admin/reservations/analytics
        GET POST /api/admin/reservations/cleanup
        GET POST /api/admin/ticket-types
        GET PATCH DELETE /api/admin/ticket-types/{ticket_type_id}
        POST /api/admin/ticket-types/{ticket_type_id}/close
        POST /api/admin/ticket-types/{ticket_type_id}/reopen
        GET POST /api/v1/admin/channels
        PUT DELETE /api/v1/admin/channels/{name}
        GET /api/v1/admin/outbox/
        POST /api/v1/admin/outbox/{message_id}/retry
        GET /api/v1/admin/refunds
        POST /api/v1/admin/refunds/{refund_id}/settle
        GET POST /api/v1/admin/screenings/{screening_id}/blocks
        DELETE /api/v1/admin/screenings/{screening_id}/blocks/{block_id}
        GET /api/v1/admin/screenings/{screening_id}/check-ins
        GET /api/v1/admin/screenings/{screening_id}/funnel
        GET /api/v1/admin/screenings/{screening_id}/waitlist
        GET /api/v1/admin/stats/bookings/recent
        GET /api/v1/admin/stats/cinemas
        GET /api/v1/admin/stats/movies
        GET /api/v1/admin/stats/movies/popular
        GET /api/v1/admin/stats/revenue
        GET /api/v1/admin/stats/revenue/period
        GET /api/v1/admin/stats/tickets/total
        GET /api/v1/admin/stats/today
        GET /api/v1/admin/stats/users
        GET POST /api/v1/admin/webhooks
        GET PUT PATCH DELETE /api/v1/admin/webhooks/{webhook_id}
        GET /api/v1/admin/webhooks/{webhook_id}/deliveries
        POST /api/v1/admin/webhooks/{webhook_id}/deliveries/{position}/retry
        POST /api/v1/admin/webhooks/{webhook_id}/enable
        POST /api/v1/admin/webhooks/{webhook_id}/replay
        POST /api/v1/admin/webhooks/{webhook_id}/rotate-secret
        POST /api/v1/admin/webhooks/{webhook_id}/test
        POST /api/v1/casts/
        PUT DELETE /api/v1/casts/{cast_id}
        POST /api/v1/cinemas/
        PATCH DELETE /api/v1/cinemas/{cinema_id}
        POST /api/v1/cinemas/{cinema_id}/rooms/
        POST /api/v1/movies/
        PATCH DELETE /api/v1/movies/{movie_id}
        GET /api/v1/ops/overview
        GET /api/v1/ops/people/find
        GET /api/v1/ops/screenings/
        GET /api/v1/ops/screenings/{screening_id}
        GET /api/v1/ops/screenings/{screening_id}/events
        GET /api/v1/ops/screenings/{screening_id}/hall
        POST /api/v1/ops/screenings/{screening_id}/release
        POST /api/v1/ops/screenings/{screening_id}/reservations
        POST /api/v1/ops/screenings/{screening_id}/sales
        GET /api/v1/ops/screenings/{screening_id}/seats/{seat_id}/log
        PUT /api/v1/ops/servers/{mark}/log-level
        PUT /api/v1/rooms/{room_id}/layout
        PUT /api/v1/rooms/{room_id}/layout.csv
        POST /api/v1/rooms/{room_id}/seats/bulk
        POST /api/v1/screenings/
        PUT DELETE /api/v1/screenings/{screening_id}
        GET /api/v1/tickets/
        GET /api/v1/tickets/export.csv
        GET /api/v1/tickets/{ticket_id}/history
        PUT /api/v1/tickets/{ticket_id}/status
        """,
    Access.DOOR: """
        GET /api/v1/admin/screenings/{screening_id}/check-ins/counts
        GET /api/v1/admin/screenings/{screening_id}/check-ins/tickets
        POST /api/v1/check-in
        POST /api/v1/check-in/batch
        POST /api/v1/check-in/undo
        """,
    Access.CRON: """
        GET /api/cron/cleanup-reservations
        """,
}


def _by_operation() -> Iterator[tuple[str, Access]]:
    for access, lines in _OPERATIONS.items():
        for line in lines.split("\n"):
            *methods, path = line.split() or [""]
            yield from ((f"{method} {path}", access) for method in methods)


ACCESS: Mapping[str, Access] = dict(_by_operation())
"""Access by method and path template."""
