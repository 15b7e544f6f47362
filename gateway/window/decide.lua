sane(KEYS[1], 'zset')
numbers(KEYS[2], 'last')

-- openStorm returns the id of the group's storm, '' if none is open.
local function openStorm()
  local s = redis.call('HMGET', KEYS[2], 'id', 'last')
  if not s[1] then return '' end
  if now - num(s[2]) <= call.stormWindow then return s[1] end
  redis.call('DEL', KEYS[1], KEYS[2])
  return ''
end

local function setStorm(id, last)
  redis.call('HSET', KEYS[2], 'id', id, 'last', int(last))
  keep(KEYS[2])
end

-- doubt is there while Redis may lack incidents that Kubernetes has: after it forgot. It
-- holds the ids of the storms that went on then.
local doubt = string.sub(KEYS[2], 1, -2) .. 'd'

-- seed records what Kubernetes knows of the group. Another request may have done so before
-- and counted since: nothing is ever lowered.
local function seed(s)
  local ids = ','
  for _, t in ipairs(s.totals) do ids = ids .. t.id .. ',' end
  redis.call('SET', doubt, ids, 'PX', call.ttl)
  local open = openStorm()
  if s.storm and (open == '' or open == s.storm.id) then
    setStorm(s.storm.id, math.max(s.storm.last, num(redis.call('HGET', KEYS[2], 'last'))))
    redis.call('HSET', KEYS[2], 'uid', s.storm.uid)
  end
  for _, o in ipairs(s.openings) do
    if o.at > (tonumber(redis.call('ZSCORE', KEYS[1], o.fp) or 0) or 0) then redis.call('ZADD', KEYS[1], int(o.at), o.fp) end
    keep(KEYS[1])
  end
  for _, t in ipairs(s.totals) do
    local key = totals(t.id)
    if not numbers(key, 'members', 'occ', 'del')[1] and redis.call('HEXISTS', key, 'gone') == 0 then
      -- A request that had decided before Redis forgot may have counted here already.
      redis.call('HSET', key, 'members', '0', 'base', int(t.new))
      raise(key, 'members', t.members, 'occ', t.occ, 'del', t.del, 'ren', t.ren, 'last', t.last, 'res', t.res, 'new', t.new)
      keep(key)
    end
  end
end

-- Where Redis knows nothing of the group it may have forgotten: Kubernetes is asked before
-- anything is claimed.
local blind = not call.seed and (corrupt > 0 or redis.call('EXISTS', KEYS[1], KEYS[2]) == 0)
sane(doubt, 'string')
local held = not call.seed and redis.call('GET', doubt)
if call.seed then seed(call.seed) end

-- claim gives a new fingerprint a slot of its group: an object of its own, or a place in
-- the storm that it finds or opens.
local function claim(key, item, past, by)
  local storm = openStorm()
  if storm == '' then
    -- An opening exactly one window ago still counts.
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. int(now - call.stormWindow))
    redis.call('ZADD', KEYS[1], int(now), item.fp)
    keep(KEYS[1])
    if redis.call('ZCARD', KEYS[1]) >= call.threshold then storm = call.newStorm end
  end
  if storm ~= '' then setStorm(storm, now) end
  redis.call('DEL', key)
  redis.call('HSET', key, 'claim', int(now), 'n', int(past), 'storm', storm, 'by', by)
  keep(key)
end

-- elsewhere says that a fingerprint which Redis forgot may have a place that nobody would
-- look at: who joins the open storm is looked up there and among the objects of their own.
local function elsewhere()
  local open = openStorm()
  if open == '' then return true end
  for id in string.gmatch(held, '[^,]+') do
    if id ~= open then return true end
  end
  return false
end

-- trust says what a member's record is worth: 'good'; 'gone', where the storm's object was
-- deleted; or 'lost', where the storm's sums are.
local function trust(h)
  if h.storm == '' then return 'good' end
  local t = numbers(totals(h.storm), 'members')
  if redis.call('HEXISTS', totals(h.storm), 'gone') == 1 then return 'gone' end
  if h.uid ~= '' and not t[1] then return 'lost' end
  return 'good'
end

local function decide(key, item)
  local before = corrupt
  local h = load(key)
  local worth = trust(h)
  if not call.seed and (worth == 'lost' or corrupt > before) then return 'unknown', h end
  if item.look then return 'looked', h end
  if #item.e == 0 then
    if h.uid ~= '' and worth == 'good' then return 'resolved', h end
    return (blind or held) and 'unknown' or 'ignored', h
  end
  local over = item.over ~= '' and h.uid == item.over
  -- A claim that nobody confirmed within the storm's window has lost its slot.
  local stale = h.exists and h.uid == '' and now - h.claim > call.stormWindow
  if over or stale or worth ~= 'good' or not h.exists then
    if blind or held and elsewhere() then return 'unknown', h end
    local past = 0
    if over and h.storm == '' then past = h.n end
    -- A place that an earlier claim may have written was never counted: who has it is no former member.
    claim(key, item, past, stale and h.by or call.newStorm)
    h = load(key)
  end
  if h.uid == '' then
    if blind then return 'unknown', h end
    if h.storm ~= '' then return 'member', h end
    return 'open', h
  end
  if now - h.last <= call.window then return 'duplicate', h end
  return 'expired', h
end

local out = {d = {}, c = {}, counted = call.count}
for i, item in ipairs(call.items) do
  local kind, h = decide(KEYS[3 + i], item)
  out.d[i] = {k = kind, n = h.n, uid = h.uid, name = h.name, ns = h.ns, storm = h.storm, claimed = h.by == call.newStorm,
    pending = h.exists and h.uid == ''}
  if kind ~= 'duplicate' and kind ~= 'resolved' then out.counted = false end
  if kind == 'member' and redis.call('HGET', KEYS[2], 'id') == h.storm then
    out.d[i].stormUID = redis.call('HGET', KEYS[2], 'uid') or ''
  end
end
for i, item in ipairs(call.items) do
  if out.counted then
    out.c[i] = count(KEYS[3 + i], item)
  else
    out.c[i] = {occ = 0, del = 0, ren = 0, last = '0', res = '0', new = '0', sm = 0, so = 0, sd = 0, sr = 0}
  end
end
-- An empty table would be encoded as an object.
if #call.items == 0 then out.d, out.c = nil, nil end
out.corrupt = corrupt
return cjson.encode(out)
