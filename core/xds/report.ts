import { isIP } from 'node:net';
import type { Violation } from '../validate.ts';

/** Takes down what is wrong, and where. */
export type Report = (path: string, message: string) => void;

export function collect(check: (report: Report) => void): readonly Violation[] {
  const violations: Violation[] = [];
  check((path, message) => violations.push({ path, message }));
  return violations;
}

export const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;

export function isCidr(text: string): boolean {
  const [address = '', bits = '', rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest !== undefined || !/^[0-9]{1,3}$/.test(bits)) return false;
  return Number(bits) <= (family === 4 ? 32 : 128);
}

/** Of 100. */
export function checkPercent(percent: number, path: string, report: Report): void {
  if (!(percent >= 0 && percent <= 100)) report(path, 'must be 0-100');
}

export function checkCount(count: number, most: number, path: string, report: Report): void {
  if (count > most) report(path, `must not be more than ${most}`);
}
