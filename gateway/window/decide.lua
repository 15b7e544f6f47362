sane(KEYS[1], 'zset')
sane(KEYS[2], 'hash')

-- openStorm returns the id of the group's storm, '' if none is open.
local function openStorm()
  local s = redis.call('HMGET', KEYS[2], 'id', 'last')
  if not s[1] then return '' end
  if now - num(s[2]) <= call.stormWindow then return s[1] end
  redis.call('DEL', KEYS[1], KEYS[2])
  return ''
end

-- claim gives a new fingerprint a slot of its group: an object of its own, or a place in
-- the storm that it finds or opens.
local function claim(key, item, past)
  local storm = openStorm()
  if storm == '' then
    -- An opening exactly one window ago still counts.
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. int(now - call.stormWindow))
    redis.call('ZADD', KEYS[1], int(now), item.fp)
    keep(KEYS[1])
    if redis.call('ZCARD', KEYS[1]) >= call.threshold then storm = call.newStorm end
  end
  if storm ~= '' then
    redis.call('HSET', KEYS[2], 'id', storm, 'last', int(now))
    keep(KEYS[2])
  end
  redis.call('DEL', key)
  redis.call('HSET', key, 'claim', int(now), 'n', int(past), 'storm', storm)
  keep(key)
end

local function decide(key, item)
  local h = load(key)
  if #item.e == 0 then
    if h.uid ~= '' then return 'resolved', h end
    return 'ignored', h
  end
  local over = item.over ~= '' and h.uid == item.over
  -- A claim that nobody confirmed within the storm's window has lost its slot.
  local stale = h.exists and h.uid == '' and now - h.claim > call.stormWindow
  if over or stale or not h.exists then
    local past = 0
    if over and h.storm == '' then past = h.n end
    claim(key, item, past)
    h = load(key)
  end
  if h.uid == '' then
    if h.storm ~= '' then return 'member', h end
    return 'open', h
  end
  if now - h.last <= call.window then return 'duplicate', h end
  return 'expired', h
end

local out = {d = {}, c = {}, counted = call.count}
for i, item in ipairs(call.items) do
  local kind, h = decide(KEYS[3 + i], item)
  out.d[i] = {k = kind, n = h.n, uid = h.uid, name = h.name, ns = h.ns, storm = h.storm}
  if kind == 'open' or kind == 'member' or kind == 'expired' then out.counted = false end
end
for i, item in ipairs(call.items) do
  if out.counted and out.d[i].k ~= 'ignored' then
    out.c[i] = count(KEYS[3 + i], item, false)
  else
    out.c[i] = {occ = 0, del = 0, last = '0', res = '0', new = '0', sm = 0, so = 0, sd = 0}
  end
end
out.corrupt = corrupt
return cjson.encode(out)
