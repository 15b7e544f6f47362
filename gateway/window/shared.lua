-- KEYS: 1 opened fingerprints (zset by time), 2 the group's storm (hash), 3 marker of the
-- request (hash), 4.. incidents (hash), one for each item. ARGV[1]: the call as JSON.
local call = cjson.decode(ARGV[1])
local time = redis.call('TIME')
-- call.at is the time of a clock that stands still.
local now = call.at or tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + call.offset
local corrupt = 0

-- Lua would print large numbers as 1.7e+12.
local function int(n) return string.format('%.0f', n) end

-- sound reports whether a field holds a number that these scripts can have written.
local function sound(v) return not v or string.match(v, '^%-?%d+$') ~= nil and #v <= 16 end

local function num(v) return sound(v) and tonumber(v or 0) or 0 end

local function replace(key)
  redis.call('DEL', key)
  corrupt = corrupt + 1
end

-- A key of a wrong type is nothing that these scripts wrote: replace it.
local function sane(key, kind)
  local found = redis.call('TYPE', key)
  found = found.ok or found
  if found ~= 'none' and found ~= kind then replace(key) end
end

-- numbers reads fields of a hash. One that is no number makes the whole key worthless.
local function numbers(key, ...)
  sane(key, 'hash')
  local f = redis.call('HMGET', key, ...)
  for i = 1, #f do
    if not sound(f[i]) then
      replace(key)
      return {}
    end
  end
  return f
end

local function load(key)
  local f = numbers(key, 'claim', 'n', 'last', 'occ', 'del', 'res', 'new', 'ren')
  local t = redis.call('HMGET', key, 'uid', 'name', 'ns', 'storm', 'by')
  return {exists = f[1] and true or false, claim = num(f[1]), n = num(f[2]), last = num(f[3]), occ = num(f[4]),
    del = num(f[5]), res = num(f[6]), new = num(f[7]), ren = num(f[8]),
    uid = t[1] or '', name = t[2] or '', ns = t[3] or '', storm = t[4] or '', by = t[5] or ''}
end

-- totals is the key of a storm's sums, which outlive the storm: its members may be repeated
-- after it was closed. It shares the hash tag, so it lies in the same slot.
local function totals(storm) return string.sub(KEYS[2], 1, -2) .. 't:' .. storm end

-- gone: a user deleted a storm, or the object with this UID.
local function gone(id)
  sane(totals(id), 'hash')
  return redis.call('HEXISTS', totals(id), 'gone') == 1
end

local function keep(key) redis.call('PEXPIRE', key, call.ttl) end

-- once is true the first time that this request counts this fingerprint.
local function once(fp)
  sane(KEYS[3], 'hash')
  local first = redis.call('HSETNX', KEYS[3], fp, '1') == 1
  keep(KEYS[3])
  return first
end

-- raise sets fields of a hash that are given in pairs, where they grow by it.
local function raise(key, ...)
  local pairs = {...}
  for i = 1, #pairs, 2 do
    if pairs[i + 1] > num(redis.call('HGET', key, pairs[i])) then redis.call('HSET', key, pairs[i], int(pairs[i + 1])) end
  end
end

-- episode is 1 for a firing that was not counted before. The newest are known one by one,
-- up to call.episodes; what is older than those, and up to the floor, counts as counted.
local function episode(key, e)
  local f = redis.call('HMGET', key, 'eps', 'floor')
  local floor, list = tonumber(f[2] or ''), {}
  if floor and e <= floor then return 0 end
  for known in string.gmatch(f[1] or '', '[^,]+') do
    local n = tonumber(known)
    if n == e then return 0 end
    if n then list[#list + 1] = n end
  end
  list[#list + 1] = e
  table.sort(list)
  while #list > call.episodes do
    redis.call('HSET', key, 'floor', int(table.remove(list, 1)))
  end
  for i, n in ipairs(list) do list[i] = int(n) end
  redis.call('HSET', key, 'eps', table.concat(list, ','))
  return 1
end

-- count adds one delivery and the new episodes of an item to its incident and its storm; a
-- delivery that brings no new episode is a renotification as well.
local function count(key, item)
  local storm = redis.call('HGET', key, 'storm') or ''
  local inStorm, sums = storm ~= '', totals(storm)
  if inStorm then numbers(sums, 'members', 'occ', 'del', 'last', 'res', 'new', 'base', 'ren') end
  if #item.e > 0 then
    local deliveries, occurrences, newest = 0, 0, 0
    if once(item.fp) then
      deliveries = 1
      redis.call('HINCRBY', key, 'del', 1)
    end
    for _, e in ipairs(item.e) do
      occurrences = occurrences + episode(key, e)
      newest = math.max(newest, e)
    end
    local renotifications = occurrences == 0 and deliveries or 0
    redis.call('HINCRBY', key, 'occ', occurrences)
    redis.call('HINCRBY', key, 'ren', renotifications)
    redis.call('HSET', key, 'last', int(now))
    raise(key, 'new', newest)
    if inStorm then
      redis.call('HINCRBY', sums, 'occ', occurrences)
      redis.call('HINCRBY', sums, 'del', deliveries)
      redis.call('HINCRBY', sums, 'ren', renotifications)
      raise(sums, 'last', now, 'new', newest)
    end
  end
  raise(key, 'res', item.res)
  keep(key)
  local h = load(key)
  -- Times go as text: cjson keeps 14 digits of a number, and the year 9999 has 15.
  local c = {occ = h.occ, del = h.del, ren = h.ren, last = int(h.last), res = int(h.res), new = int(h.new), sm = 0, so = 0, sd = 0, sr = 0}
  if inStorm then
    raise(sums, 'members', item.members, 'res', item.res)
    keep(sums)
    local s = redis.call('HMGET', sums, 'members', 'occ', 'del', 'ren')
    c.sm, c.so, c.sd, c.sr = num(s[1]), num(s[2]), num(s[3]), num(s[4])
  end
  return c
end
