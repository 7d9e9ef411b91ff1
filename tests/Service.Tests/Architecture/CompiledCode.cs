using Mono.Cecil;

namespace Bellhop.Tests.Architecture;

/// <summary>The service's assembly, read once: which type names which.</summary>
internal static class CompiledCode
{
    private static readonly Lazy<AssemblyDefinition> Assembly = new(() =>
        AssemblyDefinition.ReadAssembly(typeof(Program).Assembly.Location)
    );

    public static IReadOnlyList<TypeDefinition> Types { get; } =
    [.. Assembly.Value.MainModule.Types.SelectMany(WithNested)];

    /// <summary>Every type that names another one of the service, by their outermost types.</summary>
    public static IReadOnlyList<Edge> Edges { get; } =
    [
        .. Types
            .SelectMany(type =>
                References(type)
                    .Select(reference => new Edge(Place.Of(Outermost(type)), Place.Of(Outermost(reference))))
            )
            .Where(edge => edge.From != edge.To && edge.To.IsInService)
            .Distinct(),
    ];

    /// <summary>Every method or field of another assembly that a method of the type uses, as <c>Namespace.Type::Member</c>.</summary>
    public static IEnumerable<string> MembersUsed(TypeDefinition type) => type.Methods.SelectMany(MembersUsed);

    /// <summary>The same of one method.</summary>
    public static IEnumerable<string> MembersUsed(MethodDefinition method) =>
        method.HasBody
            ? method
                .Body.Instructions.Select(instruction => instruction.Operand)
                .OfType<MemberReference>()
                .Where(member => member.DeclaringType is not null)
                .Select(member => $"{member.DeclaringType.FullName}::{member.Name}")
            : [];

    public static TypeReference Outermost(TypeReference type) =>
        type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) =>
        type.NestedTypes.SelectMany(WithNested).Prepend(type);

    private static IEnumerable<TypeReference> References(TypeDefinition type) =>
        new[] { type.BaseType }
            .Concat(type.Interfaces.Select(implementation => implementation.InterfaceType))
            .Concat(type.Fields.Select(field => field.FieldType))
            .Concat(type.Methods.SelectMany(Signature))
            .Concat(type.Methods.Where(method => method.HasBody).SelectMany(Body))
            .Where(reference => reference is not null)
            .SelectMany(Unwrap);

    private static IEnumerable<TypeReference> Signature(MethodDefinition method) =>
        method.Parameters.Select(parameter => parameter.ParameterType).Append(method.ReturnType);

    private static IEnumerable<TypeReference> Body(MethodDefinition method) =>
        method
            .Body.Variables.Select(variable => variable.VariableType)
            .Concat(method.Body.Instructions.SelectMany(instruction => Named(instruction.Operand)));

    private static IEnumerable<TypeReference> Named(object? operand) =>
        operand switch
        {
            TypeReference used => [used],
            GenericInstanceMethod used => used.GenericArguments.Append(used.DeclaringType),
            MemberReference { DeclaringType: not null } used => [used.DeclaringType],
            _ => [],
        };

    private static IEnumerable<TypeReference> Unwrap(TypeReference type) =>
        type switch
        {
            GenericInstanceType generic => generic.GenericArguments.SelectMany(Unwrap).Append(generic.ElementType),
            TypeSpecification specification => Unwrap(specification.ElementType),
            _ => [type],
        };

    internal sealed record Edge(Place From, Place To)
    {
        public override string ToString() => $"{From.Namespace}.{From.Type} -> {To.Namespace}.{To.Type}";
    }

    internal sealed record Place(string Namespace, string Type, string? Feature, string? Slice)
    {
        public bool IsInService => Namespace == "Bellhop" || Namespace.StartsWith("Bellhop.", StringComparison.Ordinal);

        public bool IsInfrastructure => Namespace.StartsWith("Bellhop.Infrastructure", StringComparison.Ordinal);

        public static Place Of(TypeReference type)
        {
            var feature = type.Namespace.StartsWith("Bellhop.Features.", StringComparison.Ordinal)
                ? type.Namespace.Split('.')[2]
                : null;
            var isSlice =
                feature is not null && type.Resolve()?.NestedTypes.Any(nested => nested.Name == "Handler") == true;
            return new Place(type.Namespace, type.Name, feature, isSlice ? type.Name : null);
        }
    }
}
