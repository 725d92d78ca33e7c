import { words } from '../shell/words'

/** Why episodes end, as environments call it. */
export const reasonWords = words(
  {
    time_limit: 'time was up',
    truncated: 'time was up',
    fell: 'fell',
    terminated: 'ended',
    diverged: 'simulation diverged',
    flipped: 'turned over',
    unhealthy: 'unhealthy',
    success: 'success',
    unknown: 'not told',
  },
  {
    time_limit: '시간 종료',
    truncated: '시간 종료',
    fell: '넘어짐',
    terminated: '종료',
    diverged: '시뮬레이션 발산',
    flipped: '뒤집힘',
    unhealthy: '비정상 자세',
    success: '성공',
    unknown: '알 수 없음',
  },
)

export const reason = (name: string): string => reasonWords.maybe(name) ?? name.replaceAll('_', ' ')

export const FROM_SERVER = ['reasonWords']
