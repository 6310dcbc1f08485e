import { makeNative } from './make-native.ts';
import { ownSvidSuite } from './own-svid-suite.ts';

ownSvidSuite('native', makeNative);
