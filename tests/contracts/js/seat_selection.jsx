import React, { useEffect, useState } from 'react';

const SeatSelection = ({ funcionId }) => {
    const [client, setClient] = useState(null);
    const [selectedSeats, setSelectedSeats] = useState(new Set());
    const [otherSelections, setOtherSelections] = useState(new Map());
    const [isConnected, setIsConnected] = useState(false);

    useEffect(() => {
        const seatClient = new SeatSelectionClient();
        
        seatClient.setMessageCallback((message) => {
            switch (message.type) {
                case 'room_joined':
                    console.log('Unido a la sala:', message.room_id);
                    break;
                    
                case 'current_selections':
                    const selectionsMap = new Map();
                    message.selections.forEach(selection => {
                        selectionsMap.set(selection.seat_id, selection);
                    });
                    setOtherSelections(selectionsMap);
                    break;
                    
                case 'seat_selected':
                    if (message.client_id !== seatClient.clientId) {
                        setOtherSelections(prev => new Map(prev).set(message.seat_id, message));
                    }
                    break;
                    
                case 'seat_released':
                    if (message.client_id !== seatClient.clientId) {
                        setOtherSelections(prev => {
                            const newMap = new Map(prev);
                            newMap.delete(message.seat_id);
                            return newMap;
                        });
                    }
                    break;
                    
                case 'seat_selected':
                    if (message.client_id === seatClient.clientId) {
                        setSelectedSeats(prev => new Set(prev).add(message.seat_id));
                    }
                    break;
                    
                case 'seat_released':
                    if (message.client_id === seatClient.clientId) {
                        setSelectedSeats(prev => {
                            const newSet = new Set(prev);
                            newSet.delete(message.seat_id);
                            return newSet;
                        });
                    }
                    break;
            }
        });

        seatClient.setErrorCallback((error) => {
            console.error('Error en WebSocket:', error);
            setIsConnected(false);
        });

        seatClient.setCloseCallback(() => {
            setIsConnected(false);
        });

        seatClient.connect();
        setClient(seatClient);
        setIsConnected(true);

        return () => {
            seatClient.disconnect();
        };
    }, []);

    useEffect(() => {
        if (client && funcionId) {
            client.joinRoom(funcionId);
        }
    }, [client, funcionId]);

    const handleSeatClick = (seatId) => {
        if (!client || !isConnected) return;

        if (selectedSeats.has(seatId)) {
            client.releaseSeat(seatId);
        } else {
            client.selectSeat(seatId, {
                name: "Usuario Actual",
                email: "usuario@example.com"
            });
        }
    };

    const isSeatAvailable = (seatId) => {
        return !selectedSeats.has(seatId) && !otherSelections.has(seatId);
    };

    const isSeatSelectedByMe = (seatId) => {
        return selectedSeats.has(seatId);
    };

    const isSeatSelectedByOther = (seatId) => {
        return otherSelections.has(seatId);
    };

    return (
        <div>
            <div className="connection-status">
                Estado: {isConnected ? 'Conectado' : 'Desconectado'}
            </div>
            
            <div className="seat-grid">
                {/* Renderizar grid de asientos */}
                {Array.from({ length: 10 }, (_, row) => (
                    <div key={row} className="seat-row">
                        {Array.from({ length: 15 }, (_, col) => {
                            const seatId = `${String.fromCharCode(65 + row)}${col + 1}`;
                            const isAvailable = isSeatAvailable(seatId);
                            const isSelected = isSeatSelectedByMe(seatId);
                            const isOtherSelected = isSeatSelectedByOther(seatId);
                            
                            return (
                                <button
                                    key={seatId}
                                    className={`seat ${isSelected ? 'selected' : ''} ${isOtherSelected ? 'other-selected' : ''} ${!isAvailable ? 'unavailable' : ''}`}
                                    onClick={() => handleSeatClick(seatId)}
                                    disabled={!isAvailable && !isSelected}
                                >
                                    {seatId}
                                </button>
                            );
                        })}
                    </div>
                ))}
            </div>
            
            <div className="selected-seats">
                <h3>Mis Selecciones:</h3>
                <ul>
                    {Array.from(selectedSeats).map(seatId => (
                        <li key={seatId}>{seatId}</li>
                    ))}
                </ul>
            </div>
        </div>
    );
};

export default SeatSelection;
