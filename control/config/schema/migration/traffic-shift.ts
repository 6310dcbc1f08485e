import { z } from 'zod';
import { fields } from '../../../../core/yaml/index.ts';
import { dnsLabel } from '../fields.ts';
import { tenths } from './values.ts';

const percent = z.union([z.literal(0), tenths], { error: () => 'must be between 0 and 100 and a multiple of 0.1' });
const side = fields({ cluster: dnsLabel, registry: z.string().min(1).max(256) });

/** As control planes write it for each other: TrafficShiftSpec itself. */
export const trafficShiftSchema = fields({ service: dnsLabel, from: side, to: side, weight: percent, mirrorPercent: percent });
