import { words } from '../shell/words'

export const explain = words(
  {
    title: 'What changed from {from} to {to}',
    close: 'Close',
    against: 'Against {from} to {to}; {before} episodes before, {during} within.',
    effect: 'Bars are in standard deviations, the clearest change first.',
    nothing: 'Nothing here can be told apart from before: mark a longer stretch, or one in which episodes ended.',
    reasons: 'How episodes ended',
    happened: 'What happened',
    component: 'Reward components',
    episode: 'Episodes',
    learner: 'Learner',
    curriculum: 'Curriculum',
    command: 'What was asked of the robot',
    machine: 'Machine',
    more: 'more, by {size} standard deviations',
    less: 'less, by {size} standard deviations',
  },
  {
    title: '{from} ~ {to} 사이에 달라진 것',
    close: '닫기',
    against: '비교 구간 {from} ~ {to}. 이전 에피소드 {before}개, 이 구간 {during}개.',
    effect: '막대는 표준편차 단위이며 가장 뚜렷한 변화부터 나옵니다.',
    nothing: '이전과 구별되는 것이 없습니다. 더 길거나 에피소드가 끝난 구간을 선택해 보세요.',
    reasons: '에피소드 종료 원인',
    happened: '일어난 일',
    component: '보상 구성 요소',
    episode: '에피소드',
    learner: '학습기',
    curriculum: '커리큘럼',
    command: '로봇에게 지시한 것',
    machine: '기계',
    more: '표준편차의 {size}배 증가',
    less: '표준편차의 {size}배 감소',
  },
)

export const FROM_SERVER = ['explain']
