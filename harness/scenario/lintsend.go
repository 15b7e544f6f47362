package scenario

// sends refuses ways of sending that contradict what is demanded, or each other.
func (l *linter) sends() {
	for _, v := range l.steps {
		s := v.Send
		if s == nil {
			continue
		}
		if s.Slowly != nil && s.Slowly.Part == "header" {
			for status := range s.Answers {
				if status != "none" {
					l.add(v.path+".send.slowly.part", "headers that never end are never answered, and "+status+" is demanded", "write answers: {none: ...}, or part: body")
					break
				}
			}
		}
		if s.Retry && (s.LeaveAfter > 0 || s.Slowly != nil) {
			l.add(v.path+".send.retry", "every repeat would leave early or be slow, too", "repeat it by a send of its own, which sends the same alerts")
		}
	}
}
