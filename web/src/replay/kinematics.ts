/**
 * Where bodies are, from `qpos`: MuJoCo's `mj_kinematics`, in float64, without allocating.
 *
 * Quaternions are (w, x, y, z). `tests/golden/replay/kinematics.json` holds it to within 1e-6 of MuJoCo.
 */
import { BALL, FREE, SLIDE, type Scene } from './scene'

type Numbers = ArrayLike<number>

export interface Pose {
  /** Of bodies in the world, `[bodies * 3]` and `[bodies * 4]`. */
  xpos: Float64Array
  xquat: Float64Array
}

export interface Mocap {
  pos: Numbers
  quat: Numbers
  /** Where the values of the first mocap body begin. */
  at: number
}

export const newPose = (scene: Scene): Pose => ({
  xpos: new Float64Array(scene.bodies.length * 3),
  xquat: new Float64Array(scene.bodies.length * 4),
})

const p = new Float64Array(3)
const q = new Float64Array(4)
const turned = new Float64Array(4)
const anchor = new Float64Array(3)
const arm = new Float64Array(3)

/** Put bodies where the positions `qpos[at …]` say. */
export function forward(scene: Scene, qpos: Numbers, at: number, pose: Pose, mocap?: Mocap): void {
  const { xpos, xquat } = pose
  xpos.fill(0, 0, 3)
  xquat[0] = 1
  xquat.fill(0, 1, 4)
  for (let b = 1; b < scene.bodies.length; b++) {
    const body = scene.bodies[b]!
    const [firstJoint, joints] = body.joints
    const first = scene.joints[firstJoint]
    if (mocap && body.mocap >= 0) {
      const [m, k] = [mocap.at * 3 + body.mocap * 3, mocap.at * 4 + body.mocap * 4]
      for (let i = 0; i < 3; i++) p[i] = mocap.pos[m + i]!
      for (let i = 0; i < 4; i++) q[i] = mocap.quat[k + i]!
    } else if (joints === 1 && first?.type === FREE) {
      for (let i = 0; i < 3; i++) p[i] = qpos[at + first.qpos + i]!
      for (let i = 0; i < 4; i++) q[i] = qpos[at + first.qpos + 3 + i]!
    } else {
      const up = body.parent
      rotate(p, xquat, up * 4, body.pos, 0)
      for (let i = 0; i < 3; i++) p[i]! += xpos[up * 3 + i]!
      multiply(q, xquat, up * 4, body.quat, 0)
      for (let j = firstJoint; j < firstJoint + joints; j++) bend(scene, j, qpos, at)
    }
    normalise(q)
    xpos.set(p, b * 3)
    xquat.set(q, b * 4)
  }
}

/** Let one joint act on the body that `p` and `q` describe. */
function bend(scene: Scene, j: number, qpos: Numbers, at: number): void {
  const joint = scene.joints[j]!
  const here = at + joint.qpos
  const moved = qpos[here]! - scene.qpos0[joint.qpos]!
  if (joint.type === SLIDE) {
    rotate(arm, q, 0, joint.axis, 0)
    for (let i = 0; i < 3; i++) p[i]! += arm[i]! * moved
    return
  }
  rotate(anchor, q, 0, joint.pos, 0)
  for (let i = 0; i < 3; i++) anchor[i]! += p[i]!
  if (joint.type === BALL) {
    for (let i = 0; i < 4; i++) turned[i] = qpos[here + i]!
    normalise(turned)
  } else {
    const s = Math.sin(moved / 2)
    turned[0] = Math.cos(moved / 2)
    for (let i = 0; i < 3; i++) turned[i + 1] = joint.axis[i]! * s
  }
  multiply(q, q, 0, turned, 0)
  rotate(arm, q, 0, joint.pos, 0)
  for (let i = 0; i < 3; i++) p[i] = anchor[i]! - arm[i]!
}

/** A point of a body in the world. */
export function pointOf(out: Float64Array, pose: Pose, body: number, point: Numbers): Float64Array {
  rotate(out, pose.xquat, body * 4, point, 0)
  for (let i = 0; i < 3; i++) out[i]! += pose.xpos[body * 3 + i]!
  return out
}

/** Centre of mass of everything that has mass. */
export function centreOfMass(out: Float64Array, scene: Scene, pose: Pose): Float64Array {
  let mass = 0
  let [x, y, z] = [0, 0, 0]
  for (let b = 1; b < scene.bodies.length; b++) {
    const body = scene.bodies[b]!
    if (!body.mass) continue
    pointOf(arm, pose, b, body.centre)
    mass += body.mass
    x += body.mass * arm[0]!
    y += body.mass * arm[1]!
    z += body.mass * arm[2]!
  }
  out[0] = x / mass
  out[1] = y / mass
  out[2] = z / mass
  return out
}

/** out = rotation a[i …] of the vector v[k …]. */
export function rotate(out: Float64Array, a: Numbers, i: number, v: Numbers, k: number): Float64Array {
  const [w, x, y, z] = [a[i]!, a[i + 1]!, a[i + 2]!, a[i + 3]!]
  const [vx, vy, vz] = [v[k]!, v[k + 1]!, v[k + 2]!]
  const tx = 2 * (y * vz - z * vy)
  const ty = 2 * (z * vx - x * vz)
  const tz = 2 * (x * vy - y * vx)
  out[0] = vx + w * tx + y * tz - z * ty
  out[1] = vy + w * ty + z * tx - x * tz
  out[2] = vz + w * tz + x * ty - y * tx
  return out
}

/** out = a[i …] · b[k …]; out may be a. */
export function multiply(out: Float64Array, a: Numbers, i: number, b: Numbers, k: number): Float64Array {
  const [aw, ax, ay, az] = [a[i]!, a[i + 1]!, a[i + 2]!, a[i + 3]!]
  const [bw, bx, by, bz] = [b[k]!, b[k + 1]!, b[k + 2]!, b[k + 3]!]
  out[0] = aw * bw - ax * bx - ay * by - az * bz
  out[1] = aw * bx + ax * bw + ay * bz - az * by
  out[2] = aw * by - ax * bz + ay * bw + az * bx
  out[3] = aw * bz + ax * by - ay * bx + az * bw
  return out
}

function normalise(a: Float64Array): void {
  const size = Math.sqrt(a[0]! ** 2 + a[1]! ** 2 + a[2]! ** 2 + a[3]! ** 2)
  if (size < 1e-15) {
    a[0] = 1
    a.fill(0, 1)
  } else for (let i = 0; i < 4; i++) a[i]! /= size
}
