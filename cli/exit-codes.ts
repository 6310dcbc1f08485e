/** What scripts can rely on; also in every command's --help. */
export const exitCode = {
  ok: 0,
  /** It was tried and did not work. */
  failed: 1,
  /** The command line, a file or the request is not valid: nothing was tried. */
  invalid: 2,
  /** Nobody answered. */
  unreachable: 3,
  /** Somebody answered and said no, or could not prove who they are. */
  refused: 4,
  /** It was looked at, and is not as it should be. */
  differs: 5,
  /** A migration went back, or was aborted. */
  wentBack: 6,
  /** A migration has not ended yet. */
  running: 7,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

export const exitCodesHelp = `
Exit codes: 0 ok, 1 failed, 2 usage or invalid input, 3 unreachable, 4 refused.`;
