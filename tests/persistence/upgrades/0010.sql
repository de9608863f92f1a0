UPDATE cinemas SET time_zone = 'Europe/Vienna';
UPDATE events SET time_zone = 'Pacific/Auckland';
