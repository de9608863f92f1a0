"""The Python samples of operations: calls of `frontrow-client`, where it has a method.

`{name}` stands for the example of a parameter, or of a field of the body, as Python writes it. Operations
that are missing here are shown with httpx.
"""

from collections.abc import Mapping

_SEATS = "for state in frontrow.seats({screening_id}):\n    print(state.seat.id, state.status, state.is_mine)"
_RESERVATION = "{reservation_id}, session={sessionId}"
_PAID = "payment_id={payment_id}, expected_total={expected_total}, user_id={user_id}"

CLIENT_CALLS: Mapping[str, str] = {
    # Seats
    "get_availability": _SEATS,
    "get_own_availability": _SEATS,
    "get_scarcity": "print(frontrow.scarcity({screening_id}))",
    "reserve_seats": "print(frontrow.reserve({screening_id}, {seat_ids}))",
    "reserve_best_seats": "print(frontrow.reserve_best(\n"
    "    {screening_id}, {quantity}, seat_types={seat_types}, max_price={max_price}, zone={zone}\n))",
    "toggle_seats": "print(frontrow.toggle({screening_id}, [{seat_id}]))",
    "extend_reservations": "print(frontrow.extend({screening_id}, {seat_ids}))",
    "cancel_reservations": "frontrow.release({screening_id})",
    "list_reservations": "for reservation in frontrow.my_reservations():\n    print(reservation)",
    "join_waitlist": "print(frontrow.join_waitlist({screening_id}, {quantity}, together={together}))",
    "list_own_waitlist": "for entry in frontrow.my_waitlist():\n    print(entry)",
    "leave_waitlist": "frontrow.leave_waitlist({entry_id})",
    "notify_when_free": "print(frontrow.notify_when_free({screening_id}, {seat_id}))",
    # Tickets
    "book_tickets": f"print(frontrow.book(\n    {{screening_id}}, {{seat_ids}}, {_PAID}\n))",
    "book_from_reservation": "print(frontrow.book_reserved(\n"
    f"    {{screening_id}}, {{seat_ids}}, {_PAID}\n))",
    "confirm_payment": f"print(frontrow.confirm_payment(\n    {{ticket_id}}, {_PAID}\n))",
    "get_ticket": "print(frontrow.ticket({ticket_id}))",
    "list_tickets": "for ticket in frontrow.my_tickets():\n    print(ticket)",
    "list_all_tickets": "for ticket in frontrow.all_tickets():\n    print(ticket)",
    "cancel_ticket": "frontrow.cancel_ticket({ticket_id})",
    "cancel_tickets": "frontrow.cancel_tickets([{ids}])",
    "move_ticket": "print(frontrow.move_ticket(\n"
    f"    {{ticket_id}}, seat_id={{seat_id}}, screening_id={{screening_id}}, {_PAID}\n))",
    "move_tickets": "print(frontrow.move_tickets(\n"
    f"    {{ticket_ids}}, seat_ids={{seat_ids}}, screening_id={{screening_id}}, {_PAID}\n))",
    "list_refunds": "for refund in frontrow.refunds():\n    print(refund)",
    "settle_refund": "print(frontrow.settle_refund({refund_id}, {reference}))",
    # Tickets by quantity
    "list_events": "for event in frontrow.events():\n    print(event)",
    "get_event": "print(frontrow.event({event_id}))",
    "get_ticket_availability": "print(frontrow.ticket_availability({ticket_type_id}))",
    "reserve_tickets": "print(frontrow.reserve_tickets(\n"
    "    {{{ticketTypeId}: {quantity}}}, session={sessionId}, minutes={expirationMinutes}\n))",
    "list_ticket_reservations": "for reservation in frontrow.my_ticket_reservations():\n"
    "    print(reservation)",
    "get_ticket_reservation": "print(frontrow.ticket_reservation({reservation_id}))",
    "extend_ticket_reservation": "print(frontrow.extend_tickets(\n"
    f"    {_RESERVATION}, minutes={{additionalMinutes}}\n))",
    "cancel_ticket_reservation": f"print(frontrow.release_tickets(\n    {_RESERVATION}\n))",
    "list_shown_tickets": "for ticket in frontrow.shown_tickets():\n    print(ticket)",
    "get_ticket_svg": 'print(len(frontrow.ticket_picture({ticket_id}, "svg")))',
    "get_ticket_png": 'print(len(frontrow.ticket_picture({ticket_id}, "png")))',
    "get_ticket_calendar": "print(len(frontrow.ticket_calendar({ticket_id})))",
    "create_session": "print(frontrow.new_session())",
    "create_guest": "frontrow.become_guest()\nprint(frontrow.token)",
    "describe_guest": "print(frontrow.describe_guest({email}, {fullName}))",
    # The programme
    "list_cinemas": "for cinema in frontrow.cinemas():\n    print(cinema)",
    "get_cinema": "print(frontrow.cinema({cinema_id}))",
    "create_cinema": "print(frontrow.create_cinema(\n"
    "    {name}, amenities={amenities}, time_zone={time_zone}\n))",
    "list_movies": "for movie in frontrow.movies():\n    print(movie)",
    "search_movies": "for movie in frontrow.search_movies({q}):\n    print(movie)",
    "get_movie": "print(frontrow.movie({movie_id}))",
    "create_movie": "print(frontrow.create_movie(\n"
    "    {title}, genre={genre}, language={language}, rating={rating}, release_date={release_date}\n))",
    "list_rooms": "for room in frontrow.rooms({cinema_id}):\n    print(room)",
    "get_room": "print(frontrow.room({room_id}))",
    "create_room": "print(frontrow.create_room({cinema_id}, {name}))",
    "list_room_seats": "for seat in frontrow.room_seats({room_id}):\n    print(seat)",
    "get_layout": "print(frontrow.layout({room_id}))",
    "list_screenings": "for screening in frontrow.screenings():\n    print(screening)",
    "get_screening": "print(frontrow.screening({screening_id}))",
    "create_screening": "print(frontrow.create_screening(\n"
    "    {room_id}, {starts_at}, {price}, movie_id={movie_id}, max_per_user={max_per_user}\n))",
    "update_screening": "print(frontrow.update_screening({screening_id}, price={price}))",
    "delete_screening": "frontrow.delete_screening({screening_id})",
    "list_prices": "print(frontrow.prices({screening_id}))",
    "list_showtimes": "for showtime in frontrow.showtimes():\n    print(showtime)",
    # Accounts and the door
    "register": "print(frontrow.register({email}, {password}, {full_name}))",
    "log_in": "frontrow.log_in({email}, {password})\nprint(frontrow.token)",
    "log_out": "frontrow.log_out()",
    "get_me": "print(frontrow.me())",
    "check_in": "print(frontrow.check_in({code}, {gate}, screening_id={screening_id}))",
    "undo_check_in": "print(frontrow.undo_check_in({code}, {gate}, screening_id={screening_id}))",
    "count_check_ins": "print(frontrow.check_in_counts({screening_id}))",
    "list_door_tickets": "for ticket in frontrow.expected_tickets({screening_id}):\n    print(ticket)",
    "get_code_key": "print(frontrow.qr_key())",
}
"""Statements by the id of an operation; `frontrow` is the client."""
