import { NodeEngine } from '../../../gateway/engine/index.ts';
import { borderSuite } from './border-suite.ts';

borderSuite('node', (options, tables) => new NodeEngine(options, tables));
