import { createRoot } from 'react-dom/client';
import { Screening } from './screening';

const query = new URLSearchParams(location.search);
const server = query.get('server') ?? 'http://127.0.0.1:8000';
const screening = Number(query.get('screening') ?? 1);

createRoot(document.getElementById('app')!).render(<Screening server={server} screening={screening} />);
