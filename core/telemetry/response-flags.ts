/** Envoy's response flags (access log documentation, %RESPONSE_FLAGS%), in an order that only ever grows at its end: indices are kept. */
const responseFlags: readonly string[] = [
  'LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UPE UMSDR OM DF NC DT RFCF NFCF DO DR',
].flatMap((line) => line.split(' '));

/** What no flag of the list is. */
const otherFlag = 'other';

const indices = new Map(responseFlags.map((flag, index) => [flag, index]));

/** One past the end: another one. */
export function flagIndex(flag: string): number {
  return indices.get(flag) ?? responseFlags.length;
}

export function flagAt(index: number): string {
  return responseFlags[index] ?? otherFlag;
}
