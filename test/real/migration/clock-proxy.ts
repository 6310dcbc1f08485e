import { shiftDates } from '../../contract/migrate/date-proxy.ts';

/** `node clock-proxy.js URL ADDRESS PORT BY_MS`: the server at URL as one whose clock is off by so much. */
const [, , url = '', address = '127.0.0.1', port = '0', byMs = '0'] = process.argv;
await shiftDates(url, Number(byMs), { address, port: Number(port) });
