import { inTheClearSuite } from './in-the-clear-suite.ts';
import { makeNative } from './make-native.ts';

inTheClearSuite('native', makeNative);
