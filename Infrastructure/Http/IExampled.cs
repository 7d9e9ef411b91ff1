using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bellhop.Infrastructure.Http;

/// <summary>What stands in a request or an answer, with an example of itself for the document of the API.</summary>
/// <remarks>The examples tell one story: a ticket about order 1042 of a shop, from its event to the webhook that goes out.</remarks>
public interface IExampled<TSelf>
    where TSelf : IExampled<TSelf>
{
    static abstract TSelf Example { get; }
}

/// <summary>Ids and times of the story that all examples tell.</summary>
public static class Story
{
    public const string RequestId = "0199c8c5b0007c1e9a4f6d2b8e3a5c70";

    /// <summary>A piece of configuration.</summary>
    public const string Name = "triage-tickets";

    public static readonly Guid Event = new("0199c8c5-b000-7c1e-9a4f-6d2b8e3a5c71");
    public static readonly Guid Automation = new("0199c8a1-2c40-7d52-8b0e-41f7a96c3d02");
    public static readonly Guid Run = new("0199c8c5-b000-7a3d-b6c1-2f90e4d8a713");
    public static readonly Guid Job = new("0199c8c5-b00c-7f48-a2d7-5c1b9e60f834");
    public static readonly Guid Connection = new("0199c8a0-c6d8-7f15-a3b2-91e07d4c86fa");
    public static readonly Guid Endpoint = new("0199c8a1-5b18-7e07-93ac-d6410f2b7e95");
    public static readonly Guid Delivery = new("0199c8c5-b000-7b91-8e5f-a7c3064d1b26");
    public static readonly Guid Source = new("0199c8a0-f3e0-7640-b1d9-08c57ea2f417");
    public static readonly Guid Rejection = new("0199c8b7-91d0-7c83-85e2-6fb04a9d1c38");
    public static readonly Guid Worker = new("0199c8c0-7d10-7a5e-9c34-0b8de1f26a47");
    public static readonly Guid ClaimKey = new("5d1f0c6e-93b7-4e28-8a40-c7f2169be305");
    public static readonly Guid Queue = new("0199c8a0-9a64-7d27-b4e8-63f1c05a7d90");

    /// <summary>When the shop was set up.</summary>
    public static readonly DateTime SetUpAt = new(2025, 10, 9, 9, 0, 0, DateTimeKind.Utc);

    /// <summary>When the event came in.</summary>
    public static readonly DateTime At = new(2025, 10, 9, 9, 40, 0, DateTimeKind.Utc);

    public static DateTime After(int milliseconds) => At.AddMilliseconds(milliseconds);

    /// <summary>JSON that an answer hands on as it is.</summary>
    public static JsonElement Json(string json) => JsonElement.Parse(json);
}

/// <summary>Finds the example of a type, as it goes over the wire.</summary>
public static class Examples
{
    private static readonly MethodInfo WriteOne = Method(nameof(Write));
    private static readonly MethodInfo WritePage = Method(nameof(WritePageOf));

    /// <summary>Null where the type has none.</summary>
    public static JsonNode? Of(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Page<>)
            ? Call(WritePage, type.GetGenericArguments()[0])
            : Call(WriteOne, type);

    private static JsonNode? Call(MethodInfo method, Type type) =>
        type.GetInterfaces().Any(of => of.IsGenericType && of.GetGenericTypeDefinition() == typeof(IExampled<>))
            ? (JsonNode?)method.MakeGenericMethod(type).Invoke(null, null)
            : null;

    private static JsonNode? Write<T>()
        where T : IExampled<T> => JsonSerializer.SerializeToNode(T.Example, JsonRules.Options);

    private static JsonNode? WritePageOf<T>()
        where T : IExampled<T> => JsonSerializer.SerializeToNode(new Page<T>([T.Example], null), JsonRules.Options);

    private static MethodInfo Method(string name) =>
        typeof(Examples).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static)!;
}
