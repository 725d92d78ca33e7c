import { expect, test } from 'vitest'
import { PHRASES } from '../src/shell/phrases'
import { inKorean, learn } from '../src/shell/said'

await learn()

test('every phrase keeps its facts', () => {
  const facts = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()
  for (const [en, ko] of Object.entries(PHRASES)) expect([en, facts(ko)]).toEqual([en, facts(en)])
})

test('facts of a sentence are put into its Korean, and sentences within it are said in Korean too', () => {
  expect(inKorean('000000.seg: bytes 12 to 40 are damaged')).toBe('000000.seg: 12~40번째 바이트가 손상되었습니다')
  expect(inKorean('/a b/c.zip is damaged (its end is missing); use the checkpoint before it')).toBe('/a b/c.zip 파일이 손상되었습니다(끝부분이 없습니다). 그 앞의 체크포인트를 사용하세요')
  expect(inKorean('/runs/x/steps: No space left on device')).toBe('/runs/x/steps: 디스크에 남은 공간이 없습니다')
})

test('a sentence that nobody has translated is not taken for another', () => {
  expect(inKorean('steps: the moon is in the way')).toBeNull()
  expect(inKorean('')).toBeNull()
})
