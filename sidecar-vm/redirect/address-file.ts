import { open, readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import { type AddressTable, emptyAddressTable } from './allocate-addresses.ts';

/** Earlier versions kept the time alone. */
const freed = z.union([z.number().transform((at) => ({ at, host: '' })), z.object({ at: z.number(), host: z.string() })]);
const schema = z.object({ assigned: z.record(z.string(), z.ipv4()), freed: z.record(z.ipv4(), freed) });

/** A file that is missing or damaged gives an empty table: addresses change then, but the agent runs. */
export async function loadAddresses(path: string): Promise<{ readonly table: AddressTable; readonly damaged: boolean }> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return { table: emptyAddressTable, damaged: false };
  }
  try {
    const parsed = schema.parse(JSON.parse(text));
    return { table: { assigned: new Map(Object.entries(parsed.assigned)), freed: new Map(Object.entries(parsed.freed)) }, damaged: false };
  } catch {
    return { table: emptyAddressTable, damaged: true };
  }
}

/** Atomic: a reader sees the old file or the new one, also after a crash. */
export async function saveAddresses(path: string, table: AddressTable): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify({ assigned: Object.fromEntries(table.assigned), freed: Object.fromEntries(table.freed) }));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
