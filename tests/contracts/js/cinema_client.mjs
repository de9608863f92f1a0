// The cinema guide's client: its functions verbatim, and the parts of the page that they expect.

import { parameters } from './browser.mjs';

const { token } = parameters;
export const messages = [];
export const errors = [];
export const countdowns = [];

const showSuccess = (message) => messages.push(message);
const showError = (message) => errors.push(message);
const startReservationCountdown = (expiresAt) => countdowns.push(expiresAt);
const redirectToMyTickets = () => {};

export async function loadSeatMap(screeningId) {
  const response = await fetch(
    `/api/v1/seat-reservations/screening/${screeningId}/availability`,
  );
  const seats = await response.json();

  seats.forEach((seatInfo) => {
    const seatElement = document.getElementById(`seat-${seatInfo.seat.id}`);

    seatElement.className = `seat ${seatInfo.status}`;
    seatElement.disabled = seatInfo.status !== 'available';

    if (seatInfo.status === 'reserved') {
      seatElement.title = `Reserved until ${new Date(seatInfo.expires_at).toLocaleTimeString()}`;
    }
  });
}

export async function reserveSeats(screeningId, seatIds) {
  try {
    const response = await fetch('/api/v1/seat-reservations/reserve', {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({
        screening_id: screeningId,
        seat_ids: seatIds,
      }),
    });

    if (!response.ok) {
      const error = await response.json();
      showError(error.detail);
      return null;
    }

    const result = await response.json();

    showSuccess(
      `Seats reserved! You have ${result.expires_in_minutes} minutes to complete payment.`,
    );
    startReservationCountdown(result.reservations[0].expires_at);

    return result.reservations;
  } catch (error) {
    showError('Failed to reserve seats. Please try again.');
    return null;
  }
}

export async function confirmPayment(paymentId, screeningId, seatIds) {
  try {
    const response = await fetch('/api/v1/tickets/book-from-reservation', {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({
        screening_id: screeningId,
        seat_ids: seatIds,
        payment_id: paymentId,
      }),
    });

    const tickets = await response.json();

    showSuccess('Booking confirmed! Check your email for tickets.');
    redirectToMyTickets();

    return tickets;
  } catch (error) {
    showError('Payment succeeded but booking failed. Contact support.');
  }
}
