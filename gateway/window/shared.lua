-- KEYS: 1 opened fingerprints (zset by time), 2 the group's storm (hash), 3 marker of the
-- request (hash), 4.. incidents (hash), one for each item. ARGV[1]: the call as JSON.
local call = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + call.offset
local corrupt = 0

-- Lua would print large numbers as 1.7e+12.
local function int(n) return string.format('%.0f', n) end
local function num(v) return tonumber(v or 0) or 0 end

-- A key of a wrong type is nothing that these scripts wrote: replace it.
local function sane(key, kind)
  local found = redis.call('TYPE', key)
  found = found.ok or found
  if found ~= 'none' and found ~= kind then
    redis.call('DEL', key)
    corrupt = corrupt + 1
  end
end

local function load(key)
  sane(key, 'hash')
  local f = redis.call('HMGET', key, 'claim', 'n', 'uid', 'name', 'ns', 'storm', 'last', 'occ', 'del', 'res', 'new')
  return {exists = f[1] and true or false, claim = num(f[1]), n = num(f[2]), uid = f[3] or '', name = f[4] or '', ns = f[5] or '',
    storm = f[6] or '', last = num(f[7]), occ = num(f[8]), del = num(f[9]), res = num(f[10]),
    new = num(f[11])}
end

-- totals is the key of a storm's sums, which outlive the storm: its members may be repeated
-- after it was closed. It shares the hash tag, so it lies in the same slot.
local function totals(storm) return string.sub(KEYS[2], 1, -2) .. 't:' .. storm end

local function keep(key) redis.call('PEXPIRE', key, call.ttl) end

-- once is true the first time that this request counts this fingerprint.
local function once(fp)
  sane(KEYS[3], 'hash')
  local first = redis.call('HSETNX', KEYS[3], fp, '1') == 1
  keep(KEYS[3])
  return first
end

-- count adds one delivery and the new episodes of an item to its incident and its storm.
local function count(key, item, newMember)
  local storm = redis.call('HGET', key, 'storm') or ''
  local inStorm, sums = storm ~= '', totals(storm)
  if inStorm then sane(sums, 'hash') end
  if #item.e > 0 then
    local deliveries, occurrences = 0, 0
    if once(item.fp) then
      deliveries = 1
      redis.call('HINCRBY', key, 'del', 1)
    end
    for _, e in ipairs(item.e) do
      occurrences = occurrences + redis.call('HSETNX', key, 'e:' .. int(e), '1')
      if e > num(redis.call('HGET', key, 'new')) then redis.call('HSET', key, 'new', int(e)) end
    end
    redis.call('HINCRBY', key, 'occ', occurrences)
    redis.call('HSET', key, 'last', int(now))
    if inStorm then
      redis.call('HINCRBY', sums, 'occ', occurrences)
      redis.call('HINCRBY', sums, 'del', deliveries)
    end
  end
  if item.res > num(redis.call('HGET', key, 'res')) then redis.call('HSET', key, 'res', int(item.res)) end
  keep(key)
  local h = load(key)
  -- Times go as text: cjson keeps 14 digits of a number, and the year 9999 has 15.
  local c = {occ = h.occ, del = h.del, last = int(h.last), res = int(h.res), new = int(h.new), sm = 0, so = 0, sd = 0}
  if inStorm then
    if newMember then redis.call('HINCRBY', sums, 'members', 1) end
    keep(sums)
    local s = redis.call('HMGET', sums, 'members', 'occ', 'del')
    c.sm, c.so, c.sd = num(s[1]), num(s[2]), num(s[3])
  end
  return c
end
