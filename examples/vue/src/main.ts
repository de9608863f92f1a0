import { createApp } from 'vue';
import Screening from './Screening.vue';

const query = new URLSearchParams(location.search);
const server = query.get('server') ?? 'http://127.0.0.1:8000';
const screening = Number(query.get('screening') ?? 1);

createApp(Screening, { server, screening }).mount('#app');
