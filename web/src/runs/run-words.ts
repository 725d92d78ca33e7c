import { words } from '../shell/words'

export const state = words(
  {
    running: 'running',
    stalled: 'stalled',
    finished: 'finished',
    interrupted: 'interrupted',
    failed: 'failed',
    crashed: 'crashed',
    damaged: 'damaged',
    unknown: 'unknown',
  },
  {
    running: '실행 중',
    stalled: '멈춤',
    finished: '완료',
    interrupted: '중단됨',
    failed: '실패',
    crashed: '비정상 종료',
    damaged: '손상됨',
    unknown: '알 수 없음',
  },
)

/** Looked up by what the server says. */
export const FROM_SERVER = ['state']
