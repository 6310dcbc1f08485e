import { startFakePrometheus } from '../../fakes/prometheus.ts';
import { prometheusContract } from './prometheus-cases.ts';

prometheusContract('fake prometheus', startFakePrometheus);
