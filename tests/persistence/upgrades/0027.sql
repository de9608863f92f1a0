UPDATE events SET presales = '[["members", 1700000000.0]]';
