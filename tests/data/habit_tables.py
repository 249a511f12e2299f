"""The catalogue and the station table of a made tree, in the forms of other programs."""

from __future__ import annotations

from pathlib import Path

from obspy import Catalog
from obspy.core.event import Event, Magnitude, Origin, Pick, ResourceIdentifier, WaveformStreamID
from true_ground import ONSET_S, ORIGIN, S_AFTER_P_S, Tree, inventory

CATALOGUES = {
    "native": "events.csv", "usgs": "query.csv", "fdsn": "events.txt", "semicolon": "catalogue.csv",
    "parts": "parts.csv", "metres": "metres.csv", "quakeml": "events.xml", "upper": "upper.csv", "tabs": "tabs.csv",
    "day_first": "day.csv",
}  # fmt: skip
STATION_TABLES = {
    "native": "stations.csv", "fdsn": "stations.txt", "channels": "channels.txt", "kilometres": "km.csv",
    "xml": "stations.xml",
}  # fmt: skip
PICK_TABLES = {
    "native": "picks.csv", "phasenet": "picks_phasenet.csv", "eqtransformer": "X_prediction_results.csv",
    "seisbench": "picks_seisbench.csv", "quakemigrate": "ev1.picks.csv", "quakeml": "picks.xml", "gamma": "gamma.csv",
}  # fmt: skip


def write_catalogue(tree: Tree, folder: Path) -> Path:
    """Write the event in the style of the tree and return the file."""
    path = folder / CATALOGUES[tree.catalogue]
    if tree.catalogue == "quakeml":
        _quakeml(tree).write(str(path), format="QUAKEML")
    else:
        path.write_text("\n".join([*_lines(tree), ""]), encoding="utf-8")
    return path


def _lines(tree: Tree) -> list[str]:
    event = tree.event
    longitude = event.get("longitude_written", event["longitude"])
    iso = f"{ORIGIN.strftime('%Y-%m-%dT%H:%M:%S')}.250Z"
    name, latitude, depth, magnitude = event["id"], event["latitude"], event["depth_km"], event["magnitude"]
    kind, scale = event["type"], event["magnitude_type"]
    if tree.catalogue == "usgs":
        head = "time,latitude,longitude,depth,mag,magType,nst,gap,dmin,rms,net,id,updated,place,type,status"
        cells = (iso, latitude, longitude, depth, magnitude, scale.lower(), 12, 80, 0.1, 0.2, "us", name, iso)
        return [head, ",".join(map(str, cells)) + f',"5 km N of X, Y",{kind},reviewed']
    if tree.catalogue == "fdsn":
        head = "#EventID | Time | Latitude | Longitude | Depth/km | Author | Catalog | Contributor | ContributorID | "
        head += "MagType | Magnitude | MagAuthor | EventLocationName | EventType"
        plain = iso.removesuffix("Z")
        cells = (name, plain, latitude, longitude, depth, "me", "", "XX", name, scale, magnitude, "me", "Sea", kind)
        return [head, "|".join(map(str, cells))]
    if tree.catalogue == "semicolon":
        numbers = [str(value).replace(".", ",") for value in (latitude, longitude, depth, magnitude)]
        return ["event_id;time;latitude;longitude;depth_km;magnitude;type", ";".join([name, iso, *numbers, kind])]
    if tree.catalogue == "parts":
        head = "id,year,month,day,hour,minute,second,lat,lon,dep,mw"
        return [head, f"{name},2020,3,14,5,6,30.25,{latitude},{longitude},{depth},{magnitude}"]
    if tree.catalogue == "metres":
        head = "event_id,origin_time,latitude_deg,longitude_deg,depth_m,magnitude,magnitude_type"
        return [head, f"{name},{iso},{latitude},{longitude},{depth * 1000},{magnitude},{scale}"]
    if tree.catalogue == "upper":
        head = "EVENT_ID,ORIGIN_TIME,LATITUDE,LONGITUDE,DEPTH,MAGNITUDE"
        return ["\ufeff" + head, f"{name},{iso},{latitude},{longitude},{depth},{magnitude}"]
    if tree.catalogue == "tabs":
        head = ("event_id", "date", "time", "lat", "lon", "depth(km)", "ml")
        cells = (name, "2020-03-14", "05:06:30.25", latitude, longitude, depth, magnitude)
        return ["\t".join(head), "\t".join(map(str, cells))]
    if tree.catalogue == "day_first":
        iso = "14/03/2020 05:06:30.25"
    head = "event_id,source_origin_time,source_latitude_deg,source_longitude_deg,source_depth_km,source_magnitude"
    return [head, f"{name},{iso},{latitude},{longitude},{depth},{magnitude}"]


def _quakeml(tree: Tree) -> Catalog:
    event = tree.event
    longitude = event.get("longitude_written", event["longitude"])
    place = {"latitude": event["latitude"], "longitude": longitude, "depth": event["depth_km"] * 1000}
    magnitude = Magnitude(mag=event["magnitude"], magnitude_type=event["magnitude_type"])
    wrong = Origin(time=ORIGIN + 300, latitude=0.0, longitude=0.0, evaluation_status="rejected")
    origins = [wrong, Origin(time=ORIGIN, **place)]
    name = ResourceIdentifier(f"smi:local/event/{event['id']}".replace(" ", "_"))
    return Catalog([Event(resource_id=name, event_type="earthquake", origins=origins, magnitudes=[magnitude])])


def write_stations(tree: Tree, folder: Path) -> Path:
    """Write the stations in the style of the tree and return the file."""
    path = folder / STATION_TABLES[tree.station_table]
    if tree.station_table == "xml":
        inventory(tree).write(str(path), format="STATIONXML")
        return path
    path.write_text("\n".join([*_station_lines(tree), ""]), encoding="utf-8")
    return path


def _station_lines(tree: Tree) -> list[str]:
    sites = tree.stations
    if tree.station_table == "fdsn":
        head = "#Network | Station | Latitude | Longitude | Elevation | SiteName | StartTime | EndTime"
        old = [
            f"XX|{s.code}|{s.latitude_deg - 5}|{s.longitude_deg}|0|Old|1990-01-01T00:00:00|2010-01-01T00:00:00"
            for s in sites
        ]
        new = [
            f"XX|{s.code}|{s.latitude_deg}|{s.longitude_deg}|{s.elevation_m}|New|2010-01-01T00:00:00|" for s in sites
        ]
        return [head, *old, *new]
    if tree.station_table == "channels":
        head = "#Network | Station | Location | Channel | Latitude | Longitude | Elevation | Depth | Azimuth | Dip | "
        head += "SensorDescription | Scale | ScaleFreq | ScaleUnits | SampleRate | StartTime | EndTime"
        return [head] + [
            f"XX|{s.code}|{s.location}|{c.code}|{s.latitude_deg}|{s.longitude_deg}|{s.elevation_m}|0.0|"
            f"{c.azimuth_deg % 360}|{c.dip_deg}|S-13|{c.gain}|1.0|{c.unit}|{c.rate_hz}|1990-01-01T00:00:00|"
            for s in sites
            for c in s.sensors
        ]
    if tree.station_table == "kilometres":
        head = "net,sta,lat,lon,elevation_km"
        return [head] + [f"XX,{s.code},{s.latitude_deg},{s.longitude_deg},{s.elevation_m / 1000}" for s in sites]
    head = "network,station,latitude_deg,longitude_deg,elevation_m"
    return [head] + [f"XX,{s.code},{s.latitude_deg},{s.longitude_deg},{s.elevation_m}" for s in sites]


def write_picks(tree: Tree, folder: Path) -> Path:
    """Write P and S of all stations, and picks that are none of these, in the style of the tree."""
    path = folder / PICK_TABLES[tree.picks or "native"]
    if tree.picks == "quakeml":
        _pick_quakeml(tree).write(str(path), format="QUAKEML")
    else:
        path.write_text("\n".join([*_pick_lines(tree), ""]), encoding="utf-8")
    return path


def _times(shift_s: float = 0.0) -> tuple[str, str]:
    p, s = (ORIGIN + shift_s + after for after in (ONSET_S, ONSET_S + S_AFTER_P_S))
    return p.strftime("%Y-%m-%dT%H:%M:%S.%f"), s.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _pick_lines(tree: Tree) -> list[str]:
    p, s = _times()
    early, _ = _times(-3.0)
    sites = tree.stations
    bands = [site.sensors[0].code[:-1] for site in sites]
    if tree.picks == "phasenet":
        begin = (ORIGIN - 30).strftime("%Y-%m-%dT%H:%M:%S.%f")
        lines = ["station_id,begin_time,phase_index,phase_time,phase_score,phase_type"]
        for site, band in zip(sites, bands, strict=True):
            for text, phase, index in ((p, "P", 3500), (s, "S", 3900)):
                lines.append(f"XX.{site.code}.{site.location}.{band},{begin},{index},{text},0.9,{phase}")
        return [*lines, f"YY.{sites[0].code}..HH,{begin},100,{early},0.99,P"]
    if tree.picks == "eqtransformer":
        head = "file_name,network,station,instrument_type,station_lat,station_lon,station_elv,event_start_time,"
        head += "event_end_time,detection_probability,p_arrival_time,p_probability,s_arrival_time,s_probability"
        rows = [
            f"f,XX,{site.code},{band},0,0,0,{p},{s},0.9,{p},0.8,{s},0.7"
            for site, band in zip(sites, bands, strict=True)
        ]
        return [head, *(row.replace("T05", " 05") for row in rows)]
    if tree.picks == "seisbench":
        lines = ["trace_id,start_time,end_time,peak_time,peak_value,phase"]
        for site in sites:
            for text, phase in ((p, "P"), (s, "S")):
                lines.append(f"XX.{site.code}.{site.location},{text}Z,{text}Z,{text}Z,0.7,{phase}")
        return lines
    if tree.picks == "gamma":
        lines = ["id,timestamp,prob,type"]
        for site, band in zip(sites, bands, strict=True):
            for text, phase in ((p, "p"), (s, "s")):
                lines.append(f"XX.{site.code}.{site.location}.{band},{text},0.6,{phase}")
        return lines
    name = tree.event["id"]
    if tree.picks == "quakemigrate":
        lines = ["event_id,Station,Phase,ModelledTime,PickTime,PickError,SNR"]
        return lines + [
            f"{name},{site.code},{phase},{text}Z,{text}Z,0.05,9.0"
            for site in sites
            for text, phase in ((p, "P"), (s, "S"))
        ]
    lines = ["event_id,network,station,phase,time"]
    lines += [f"{name},XX,{site.code},{phase},{text}" for site in sites for text, phase in ((p, "Pg"), (s, "Sg"))]
    return [*lines, f"{name},XX,{sites[0].code},pP,{early}", f"{name},YY,{sites[1].code},P,{early}"]


def _pick_quakeml(tree: Tree) -> Catalog:
    picks = []
    for site in tree.stations:
        stream = WaveformStreamID("XX", site.code)
        for phase, after_s, status in (("P", 1.0, "rejected"), ("P", ONSET_S, "confirmed"), ("S", 9.0, "reviewed")):
            picks.append(Pick(time=ORIGIN + after_s, phase_hint=phase, waveform_id=stream, evaluation_status=status))
    name = ResourceIdentifier(f"smi:local/event/{tree.event['id']}")
    return Catalog([Event(resource_id=name, picks=picks)])
