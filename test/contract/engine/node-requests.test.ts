import { NodeEngine } from '../../../gateway/engine/index.ts';
import { requestsSuite } from './requests-suite.ts';

requestsSuite('node', (options, tables) => new NodeEngine(options, tables));
