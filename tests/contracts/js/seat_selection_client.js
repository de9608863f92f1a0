class SeatSelectionClient {
    constructor(serverUrl = 'ws://localhost:8001') {
        this.serverUrl = serverUrl;
        this.clientId = 'user_' + Date.now();
        this.ws = null;
        this.currentRoom = null;
        this.onMessageCallback = null;
        this.onErrorCallback = null;
        this.onCloseCallback = null;
    }

    connect() {
        this.ws = new WebSocket(`${this.serverUrl}/ws/${this.clientId}`);
        
        this.ws.onopen = () => {
            console.log('Conectado al servicio WebSocket');
        };

        this.ws.onmessage = (event) => {
            const message = JSON.parse(event.data);
            console.log('Mensaje recibido:', message);
            
            if (this.onMessageCallback) {
                this.onMessageCallback(message);
            }
        };

        this.ws.onerror = (error) => {
            console.error('Error en WebSocket:', error);
            if (this.onErrorCallback) {
                this.onErrorCallback(error);
            }
        };

        this.ws.onclose = () => {
            console.log('Conexión WebSocket cerrada');
            if (this.onCloseCallback) {
                this.onCloseCallback();
            }
        };
    }

    joinRoom(roomId) {
        if (!this.ws || this.ws.readyState !== WebSocket.OPEN) {
            throw new Error('WebSocket no está conectado');
        }

        this.currentRoom = roomId;
        this.ws.send(JSON.stringify({
            type: "join_room",
            room_id: roomId
        }));
    }

    leaveRoom() {
        if (!this.ws || this.ws.readyState !== WebSocket.OPEN || !this.currentRoom) {
            return;
        }

        this.ws.send(JSON.stringify({
            type: "leave_room",
            room_id: this.currentRoom
        }));
        this.currentRoom = null;
    }

    selectSeat(seatId, userInfo = {}) {
        if (!this.ws || this.ws.readyState !== WebSocket.OPEN || !this.currentRoom) {
            throw new Error('WebSocket no está conectado o no hay sala activa');
        }

        this.ws.send(JSON.stringify({
            type: "select_seat",
            room_id: this.currentRoom,
            seat_id: seatId,
            user_info: userInfo
        }));
    }

    releaseSeat(seatId) {
        if (!this.ws || this.ws.readyState !== WebSocket.OPEN || !this.currentRoom) {
            throw new Error('WebSocket no está conectado o no hay sala activa');
        }

        this.ws.send(JSON.stringify({
            type: "release_seat",
            room_id: this.currentRoom,
            seat_id: seatId
        }));
    }

    ping() {
        if (!this.ws || this.ws.readyState !== WebSocket.OPEN) {
            return;
        }

        this.ws.send(JSON.stringify({
            type: "ping"
        }));
    }

    disconnect() {
        if (this.ws) {
            this.ws.close();
        }
    }

    setMessageCallback(callback) {
        this.onMessageCallback = callback;
    }

    setErrorCallback(callback) {
        this.onErrorCallback = callback;
    }

    setCloseCallback(callback) {
        this.onCloseCallback = callback;
    }
}
