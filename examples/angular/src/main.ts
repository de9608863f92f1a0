import { bootstrapApplication } from '@angular/platform-browser';
import { Screening } from './screening';

bootstrapApplication(Screening).catch((error) => console.error(error));
