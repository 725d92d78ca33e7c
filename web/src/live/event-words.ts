import { words } from '../shell/words'

export const event = words(
  {
    begin: 'attempt began',
    checkpoint: 'checkpoint',
    curriculum: 'curriculum changed',
    simulation_diverged: 'simulation diverged',
    simulator_warning: 'simulator warned',
    not_finite: 'not finite',
    signal: 'signal',
    end: 'attempt ended',
    phase: 'phase',
  },
  {
    begin: '시도 시작',
    checkpoint: '체크포인트',
    curriculum: '커리큘럼 변경',
    simulation_diverged: '시뮬레이션 발산',
    simulator_warning: '시뮬레이터 경고',
    not_finite: '비유한 값',
    signal: '시그널',
    end: '시도 종료',
    phase: '단계',
  },
)

export const eventName = (kind: string): string => event.maybe(kind) ?? kind.replaceAll('_', ' ')

export const FROM_SERVER = ['event']
