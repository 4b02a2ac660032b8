package main

import (
	"fmt"
	"strconv"
)

const grafanaFile = "deploy/grafana/sipcmbeat.json"

// grafana is one dashboard with a row for each board. Its variable is the data source:
// an Elasticsearch one over sipcmbeat-*.
func grafana(boards []board) (string, error) {
	var panels []object
	id, at := 0, place{}
	add := func(p object, width, height int) {
		id++
		x, y := at.next(width, height, gridWidth/2)
		p["id"], p["gridPos"] = id, object{"x": x, "y": y, "w": width, "h": height}
		panels = append(panels, p)
	}
	for _, b := range boards {
		at = place{y: at.below, below: at.below}
		add(object{"type": "row", "title": b.Title, "collapsed": false, "panels": []any{}}, gridWidth/2, 1)
		for i := range b.Panels {
			p := &b.Panels[i]
			add(p.grafana(), p.Size[0]/2, (p.Size[1]*2+2)/3)
		}
	}
	return text(object{
		"uid": "sipcmbeat", "title": "sipcmbeat", "description": "What sipcmbeat saw of SIP.", "tags": []string{"sip", "sipcmbeat"},
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "timezone": "browser", "refresh": "1m",
		"time": object{"from": "now-24h", "to": "now"}, "annotations": object{"list": []any{}}, "links": []any{},
		"templating": object{"list": []object{{
			"name": "datasource", "label": "Elasticsearch", "type": "datasource", "query": "elasticsearch",
			"hide": 0, "multi": false, "includeAll": false, "refresh": 1, "regex": "",
		}}},
		"panels": panels,
	})
}

var grafanaSource = object{"type": "elasticsearch", "uid": "${datasource}"}

// grafana is one panel. It speaks to the data source in aggregations too, but names
// them otherwise than Kibana, and time comes last.
func (p *panel) grafana() object {
	target := object{"refId": "A", "datasource": grafanaSource, "timeField": timeField, "query": p.Where,
		"metrics": []object{p.metric()}, "bucketAggs": p.buckets()}
	made := object{"title": p.Title, "datasource": grafanaSource, "targets": []object{target}}
	look := object{"defaults": object{}, "overrides": []any{}}
	legend := object{"displayMode": "list", "placement": "right", "showLegend": true, "calcs": []any{}}
	switch p.As {
	case "number":
		made["type"] = "stat"
		made["options"] = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
			"colorMode": "none", "graphMode": "none", "justifyMode": "auto", "textMode": "value", "orientation": "auto",
			"wideLayout": true, "showPercentChange": false, "percentChangeColorMode": "standard"}
	case "pie":
		made["type"] = "piechart"
		legend["values"] = []string{"value", "percent"}
		made["options"] = object{"pieType": "donut", "orientation": "auto", "legend": legend, "displayLabels": []any{}, "tooltip": object{"mode": "single", "sort": "none"},
			"reduceOptions": object{"calcs": []any{}, "fields": "", "values": true}}
	case "table", "list":
		made["type"], made["options"] = "table", object{"showHeader": true, "frameIndex": 0}
		if p.As == "list" && p.Sort == "" {
			made["transformations"] = []object{{"id": "filterFieldsByName", "options": object{"include": object{"names": append([]string{timeField}, p.Columns...)}}}}
		}
	default:
		made["type"] = "timeseries"
		made["options"] = object{"legend": legend, "tooltip": object{"mode": "multi", "sort": "desc"}}
		custom := object{"drawStyle": "line", "lineWidth": 1, "showPoints": "auto"}
		if p.As != "line" {
			mode := "normal"
			if p.As == "share" {
				mode = "percent"
			}
			custom = object{"drawStyle": "bars", "fillOpacity": 80, "lineWidth": 0, "stacking": object{"mode": mode, "group": "A"}}
		}
		look["defaults"] = object{"custom": custom}
	}
	made["fieldConfig"] = look
	return made
}

func (p *panel) metric() object {
	if p.As == "list" {
		if p.Sort == "" {
			return object{"id": "1", "type": "raw_data", "settings": object{"size": strconv.Itoa(listRows)}}
		}
		return object{"id": "1", "type": "max", "field": p.Sort}
	}
	name, field := p.operation()
	m := object{"id": "1", "type": name}
	if field != "" {
		m["field"] = field
	}
	if name == "percentiles" {
		var texts []string
		for _, percent := range percents {
			texts = append(texts, strconv.FormatFloat(percent, 'f', -1, 64))
		}
		m["settings"] = object{"percents": texts}
	}
	return m
}

func (p *panel) buckets() []object {
	aggs := []object{}
	add := func(kind, field string, settings object) {
		agg := object{"id": fmt.Sprint(len(aggs) + 2), "type": kind, "settings": settings}
		if field != "" {
			agg["field"] = field
		}
		aggs = append(aggs, agg)
	}
	terms := func(field string, size int) {
		order := "_count"
		if name, _ := p.operation(); p.Sort != "" || name != "count" && name != "percentiles" {
			order = "1"
		}
		add("terms", field, object{"order": "desc", "orderBy": order, "size": strconv.Itoa(size), "min_doc_count": "1"})
	}
	filters := func(list ...object) { add("filters", "", object{"filters": list}) }
	switch {
	case p.As == "number": // a table of one row
		filters(object{"label": p.Title, "query": "*"})
	case p.As == "list" && p.Sort != "": // the documents of a query come by time only
		for _, column := range p.Columns {
			if column != p.Sort {
				terms(column, tableRows)
			}
		}
	}
	for _, by := range p.By {
		size := splitSeries
		if p.As == "table" {
			size = tableRows
		}
		terms(by, size)
	}
	if len(p.Parts) > 0 {
		var list []object
		for _, part := range p.Parts {
			list = append(list, object{"label": part.name, "query": part.where})
		}
		filters(list...)
	}
	switch p.As {
	case "bars", "share", "line":
		add("date_histogram", timeField, object{"interval": "auto", "min_doc_count": "0", "trimEdges": "0"})
	}
	return aggs
}
